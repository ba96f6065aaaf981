/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * exec-fork-chdir: the working directories of processes, kept from what chdir is given, and the full
 * path of a program made of it. Nothing of the kernel's structs is read but what the tracepoints of
 * fork and exec hand over. The working directories that processes had before are put in by the observer.
 */
#include "note.bpf.h"

/* A path; an empty one is not known. */
#define PATH 256
struct place {
	u32 length;
	char path[2 * PATH];
};

/* By process. */
struct {
	u32 (*type)[9]; /* BPF_MAP_TYPE_LRU_HASH */
	u32 *key;
	struct place *value;
	u32 (*max_entries)[4096];
} PLACES SEC(".maps");

/* What a call of a thread was given, made absolute; until it comes back. */
struct {
	u32 (*type)[9];
	u32 *key;
	struct place *value;
	u32 (*max_entries)[4096];
} GIVEN SEC(".maps");

struct {
	u32 (*type)[6]; /* BPF_MAP_TYPE_PERCPU_ARRAY */
	u32 *key;
	struct place *value;
	u32 (*max_entries)[1];
} SCRATCH SEC(".maps");

/* A tracepoint of a system call. */
struct call {
	u64 common;
	s64 number;
	union {
		u64 argument[6];
		s64 result;
	};
};

INLINE struct place *scratch(void)
{
	u32 zero = 0;
	return map_lookup(&SCRATCH, &zero);
}

/* The working directory of the process and a path below it. */
INLINE int absolute(struct place *into, const char *from, int is_user)
{
	u32 process = current_pid_tgid() >> 32;
	char first = 0;
	into->length = 0;
	long length = is_user ? read_user(&first, 1, from) : read_kernel(&first, 1, from);
	if (length < 0)
		return -1;
	u32 at = 0;
	if (first != '/') {
		struct place *own = map_lookup(&PLACES, &process);
		if (!own || !own->length)
			return -1;
		at = own->length;
		/* One that is longer leaves no room for what is below it. */
		if (at >= PATH)
			return -1;
		/* The compiler would leave out the mask, and not every verifier sees the bound without it. */
		__asm__ volatile("" : "+r"(at));
		at &= PATH - 1;
		read_kernel(into->path, at, own->path);
		/* The root ends with its own. */
		if (at > 1 || own->path[0] != '/') {
			into->path[at & (PATH - 1)] = '/';
			at++;
		}
	}
	at &= 2 * PATH - 1;
	if (at > PATH)
		return -1;
	length = is_user ? read_user_str(&into->path[at], PATH - 1, from) :
			   read_kernel_str(&into->path[at], PATH - 1, from);
	/* A string that fills its room may have been cut. */
	if (length <= 0 || length == PATH - 1)
		return -1;
	into->length = at + length - 1;
	return 0;
}

INLINE int begins(const char *path)
{
	u32 thread = (u32)current_pid_tgid();
	struct place *place = scratch();
	if (!place)
		return 0;
	absolute(place, path, 1);
	map_update(&GIVEN, &thread, place, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_chdir")
int sys_enter_chdir(struct call *call)
{
	return begins((void *)call->argument[0]);
}

SEC("tracepoint/syscalls/sys_exit_chdir")
int sys_exit_chdir(struct call *call)
{
	u64 id = current_pid_tgid();
	u32 process = id >> 32, thread = (u32)id;
	struct place *given = map_lookup(&GIVEN, &thread);
	if (given && !call->result)
		map_update(&PLACES, &process, given, 0);
	map_delete(&GIVEN, &thread);
	return 0;
}

/* A descriptor leads anywhere. */
SEC("tracepoint/syscalls/sys_exit_fchdir")
int sys_exit_fchdir(struct call *call)
{
	u32 process = current_pid_tgid() >> 32;
	struct place *own = map_lookup(&PLACES, &process);
	if (own && !call->result)
		own->length = 0;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int sys_enter_execve(struct call *call)
{
	return begins((void *)call->argument[0]);
}

/* A call that comes back has failed, or the new program begins. What it was given goes also where there is no
 * note: for a later execveat of the thread nothing is put in, and it would tell of this call. */
INLINE int ends(struct call *call, struct note *note)
{
	u32 thread = (u32)current_pid_tgid();
	if (note) {
		struct place *given = map_lookup(&GIVEN, &thread);
		NUMBER(note, 0, "errno", call->result);
		if (given && call->result) {
			struct text *path = TEXT(note, 0, "path");
			path->length = given->length ? given->length & (2 * PATH - 1) : UNKNOWN;
			read_kernel(path->text, sizeof(given->path), given->path);
		}
		ring_submit(note, 0);
	}
	map_delete(&GIVEN, &thread);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int sys_exit_execve(struct call *call)
{
	return ends(call, BEGIN("return", "sys_exit_execve", sizeof(struct note)));
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int sys_exit_execveat(struct call *call)
{
	return ends(call, BEGIN("return", "sys_exit_execveat", sizeof(struct note)));
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *context)
{
	struct task_struct *child = (void *)context[1];
	u32 process = current_pid_tgid() >> 32, started = READ(child->tgid);
	struct place *own = map_lookup(&PLACES, &process);
	struct place *copy = scratch();
	if (own && copy && started != process) {
		read_kernel(copy, sizeof(*copy), own);
		map_update(&PLACES, &started, copy, 0);
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
	struct linux_binprm *bprm = (void *)context[2];
	u32 process = current_pid_tgid() >> 32;
	struct note *note = BEGIN("exec", "sched_process_exec", sizeof(struct note));
	if (!note)
		return 0;
	struct place *place = scratch();
	struct place *own = map_lookup(&PLACES, &process);
	struct text *path = TEXT(note, 0, "path");
	struct text *cwd = TEXT(note, 1, "cwd");
	path->length = UNKNOWN;
	cwd->length = UNKNOWN;
	if (place && !absolute(place, READ(bprm->filename), 0)) {
		path->length = place->length & (2 * PATH - 1);
		read_kernel(path->text, sizeof(place->path), place->path);
	}
	if (own && own->length) {
		cwd->length = own->length & (2 * PATH - 1);
		read_kernel(cwd->text, sizeof(own->path), own->path);
	}
	ring_submit(note, 0);
	return 0;
}
