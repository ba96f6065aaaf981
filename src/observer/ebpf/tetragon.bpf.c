/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * tetragon-hook: what Tetragon's policy process-exec-elf-begin hooks, and its complement. Of a process
 * is told what it was known to be when the hook is reached: Tetragon keeps that from sched_process_exec,
 * so that an exec which is going on is told by the program before it.
 */
#include "note.bpf.h"

/* What is kept of a process. */
#define KEPT 256
struct kept {
	u32 binary, arguments;
	char text[2][2 * KEPT];
};

struct {
	u32 (*type)[9]; /* BPF_MAP_TYPE_LRU_HASH */
	u32 *key;
	struct kept *value;
	u32 (*max_entries)[4096];
} KEPT_OF SEC(".maps");

struct {
	u32 (*type)[6]; /* BPF_MAP_TYPE_PERCPU_ARRAY */
	u32 *key;
	struct kept *value;
	u32 (*max_entries)[1];
} SCRATCH SEC(".maps");

INLINE void known(struct note *note)
{
	struct task_struct *task = current_task();
	struct task_struct *parent = READ(task->real_parent);
	struct fs_struct *fs = READ(task->fs);
	u32 process = current_pid_tgid() >> 32;
	struct kept *kept = map_lookup(&KEPT_OF, &process);

	NUMBER(note, 0, "parent", READ(parent->tgid));
	NUMBER(note, 1, "ruid", (u32)current_uid_gid());
	NUMBER(note, 2, "auid", READ(task->loginuid.val));
	walk(TEXT(note, 0, "cwd"), &fs->pwd);
	struct text *exe = TEXT(note, 1, "exe"), *argv = TEXT(note, 2, "argv");
	exe->length = UNKNOWN;
	argv->length = UNKNOWN;
	if (kept) {
		exe->length = kept->binary & (2 * KEPT - 1);
		read_kernel(exe->text, sizeof(kept->text[0]), kept->text[0]);
		argv->length = kept->arguments & (2 * KEPT - 1);
		read_kernel(argv->text, sizeof(kept->text[1]), kept->text[1]);
	}
}

SEC("kprobe/security_bprm_creds_from_file")
int security_bprm_creds_from_file(u64 *registers)
{
	struct file *file = (void *)registers[13]; /* %rsi, struct pt_regs */
	struct note *note = BEGIN("inside", "security_bprm_creds_from_file", sizeof(struct note));
	if (!note)
		return 0;
	known(note);
	walk(TEXT(note, 3, "file"), &file->f_path);
	ring_submit(note, 0);
	return 0;
}

SEC("kprobe/security_bprm_check")
int security_bprm_check(u64 *registers)
{
	struct linux_binprm *bprm = (void *)registers[14]; /* %rdi */
	struct file *file = READ(bprm->file);
	struct note *note = BEGIN("inside", "security_bprm_check", sizeof(struct note));
	if (!note)
		return 0;
	known(note);
	walk(TEXT(note, 3, "file"), &file->f_path);
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *context)
{
	struct task_struct *child = (void *)context[1];
	u32 zero = 0, process = current_pid_tgid() >> 32, started = READ(child->tgid);
	struct kept *kept = map_lookup(&KEPT_OF, &process);
	struct kept *copy = map_lookup(&SCRATCH, &zero);
	if (kept && copy && started != process) {
		read_kernel(copy, sizeof(*copy), kept);
		map_update(&KEPT_OF, &started, copy, 0);
	}
	struct note *note = BEGIN("fork", "sched_process_fork", SHORT);
	if (!note)
		return 0;
	NUMBER(note, 0, "child", (u64)started << 32 | (u32)READ(child->pid));
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct linux_binprm *bprm = (void *)context[2];
	u32 zero = 0, process = current_pid_tgid() >> 32;
	struct kept *kept = map_lookup(&SCRATCH, &zero);
	if (!kept)
		return 0;
	long length = read_kernel_str(kept->text[0], KEPT, READ(bprm->filename));
	kept->binary = length > 0 ? length - 1 : 0;
	struct mm_struct *mm = READ(task->mm);
	unsigned long from = READ(mm->arg_start);
	u64 bytes = READ(mm->arg_end) - from;
	if (bytes >= KEPT)
		bytes = KEPT - 1;
	kept->arguments = read_user(kept->text[1], bytes & (KEPT - 1), (void *)from) < 0 ? 0 : bytes;
	map_update(&KEPT_OF, &process, kept, 0);
	return 0;
}
