/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * ebpf-structs: what the kernel's own structs say at the places that an exec passes. No helper is asked
 * for a path. Each program has the name of what it is attached to.
 */
#include "note.bpf.h"

INLINE void who(struct note *note, struct task_struct *task)
{
	struct task_struct *parent = READ(task->real_parent);
	struct cred *cred = READ(task->cred);
	struct css_set *set = READ(task->cgroups);
	struct cgroup *cgroup = READ(set->dfl_cgrp);
	struct kernfs_node *node = READ(cgroup->kn);

	NUMBER(note, 0, "parent", READ(parent->tgid));
	NUMBER(note, 1, "uid", (u64)READ(cred->uid.val) << 32 | READ(cred->euid.val));
	NUMBER(note, 2, "gid", (u64)READ(cred->gid.val) << 32 | READ(cred->egid.val));
	NUMBER(note, 3, "auid", READ(task->loginuid.val));
	NUMBER(note, 4, "cgroup", READ(node->id));
}

INLINE void image(struct text *into, struct task_struct *task)
{
	struct mm_struct *mm = READ(task->mm);
	struct file *file = READ(mm->exe_file);
	/* The first program of a usermode helper has none. */
	if (file)
		walk(into, &file->f_path);
}

INLINE void directory(struct text *into, struct task_struct *task)
{
	struct fs_struct *fs = READ(task->fs);
	walk(into, &fs->pwd);
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *context)
{
	struct task_struct *child = (void *)context[1];
	struct note *note = BEGIN("fork", "sched_process_fork", SHORT);
	if (!note)
		return 0;
	NUMBER(note, 0, "child", (u64)READ(child->tgid) << 32 | (u32)READ(child->pid));
	ring_submit(note, 0);
	return 0;
}

SEC("kprobe/security_bprm_check")
int security_bprm_check(u64 *registers)
{
	struct linux_binprm *bprm = (void *)registers[14]; /* %rdi, struct pt_regs */
	struct note *note = BEGIN("inside", "security_bprm_check", sizeof(struct note));
	if (!note)
		return 0;
	struct task_struct *task = current_task();
	struct file *file = READ(bprm->file);
	who(note, task);
	string(TEXT(note, 0, "path"), READ(bprm->filename));
	string(TEXT(note, 1, "interp"), READ(bprm->interp));
	walk(TEXT(note, 2, "file"), &file->f_path);
	image(TEXT(note, 3, "exe"), task);
	string(TEXT(note, 4, "comm"), task->comm);
	directory(TEXT(note, 5, "cwd"), task);
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_prepare_exec")
int sched_prepare_exec(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct linux_binprm *bprm = (void *)context[1];
	struct note *note = BEGIN("inside", "sched_prepare_exec", sizeof(struct note));
	if (!note)
		return 0;
	struct file *file = READ(bprm->file);
	who(note, task);
	string(TEXT(note, 0, "path"), READ(bprm->filename));
	string(TEXT(note, 1, "interp"), READ(bprm->interp));
	walk(TEXT(note, 2, "file"), &file->f_path);
	image(TEXT(note, 3, "exe"), task);
	string(TEXT(note, 4, "comm"), task->comm);
	directory(TEXT(note, 5, "cwd"), task);
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct linux_binprm *bprm = (void *)context[2];
	struct note *note = BEGIN("exec", "sched_process_exec", sizeof(struct note));
	if (!note)
		return 0;
	who(note, task);
	NUMBER(note, 5, "was", context[1]);
	string(TEXT(note, 0, "path"), READ(bprm->filename));
	string(TEXT(note, 1, "interp"), READ(bprm->interp));
	image(TEXT(note, 2, "exe"), task);
	string(TEXT(note, 3, "comm"), task->comm);
	arguments(TEXT(note, 4, "argv"), READ(task->mm));
	directory(TEXT(note, 5, "cwd"), task);
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct note *note = BEGIN("exit", "sched_process_exit", SHORT);
	if (!note)
		return 0;
	NUMBER(note, 0, "result", (u32)READ(task->exit_code));
	ring_submit(note, 0);
	return 0;
}
