/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * ebpf-helpers: what helpers tell, where no struct is walked but for the one flag that tells an exec.
 */
#include "note.bpf.h"

/* __FMODE_EXEC of include/linux/fs.h: the file is opened to be executed. */
#define FOR_EXECUTION 0x20

INLINE void who(struct note *note)
{
	NUMBER(note, 0, "ruid", (u32)current_uid_gid());
	NUMBER(note, 1, "rgid", current_uid_gid() >> 32);
	NUMBER(note, 2, "cgroup", current_cgroup());
}

INLINE void comm(struct text *into)
{
	current_comm(into->text, 16);
	into->length = 16;
}

SEC("fentry/security_file_open")
int security_file_open(u64 *context)
{
	struct file *file = (void *)context[0];
	if (!(file->f_flags & FOR_EXECUTION))
		return 0;
	struct note *note = BEGIN("open", "security_file_open", sizeof(struct note));
	if (!note)
		return 0;
	who(note);
	struct text *path = TEXT(note, 0, "file");
	long length = d_path(&file->f_path, path->text, BYTES / 2);
	path->length = length < 0 ? FAULT : length - 1;
	comm(TEXT(note, 1, "comm"));
	ring_submit(note, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *context)
{
	struct note *note = BEGIN("exec", "sched_process_exec", sizeof(struct note));
	if (!note)
		return 0;
	who(note);
	comm(TEXT(note, 0, "comm"));
	ring_submit(note, 0);
	return 0;
}
