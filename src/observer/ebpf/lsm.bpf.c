/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * ebpf-lsm: programs on LSM hooks. They allow everything.
 */
#include "note.bpf.h"

INLINE void who(struct note *note)
{
	NUMBER(note, 0, "ruid", (u32)current_uid_gid());
	NUMBER(note, 1, "rgid", current_uid_gid() >> 32);
	NUMBER(note, 2, "cgroup", current_cgroup());
}

SEC("lsm/bprm_creds_for_exec")
int bprm_creds_for_exec(u64 *context)
{
	struct linux_binprm *bprm = (void *)context[0];
	struct note *note = BEGIN("inside", "bprm_creds_for_exec", sizeof(struct note));
	if (!note)
		return 0;
	who(note);
	string(TEXT(note, 0, "path"), READ(bprm->filename));
	current_comm(TEXT(note, 1, "comm")->text, 16);
	note->text[1].length = 16;
	ring_submit(note, 0);
	return 0;
}

SEC("lsm/bprm_check_security")
int bprm_check_security(u64 *context)
{
	struct linux_binprm *bprm = (void *)context[0];
	struct note *note = BEGIN("inside", "bprm_check_security", sizeof(struct note));
	if (!note)
		return 0;
	who(note);
	string(TEXT(note, 0, "path"), READ(bprm->filename));
	current_comm(TEXT(note, 1, "comm")->text, 16);
	note->text[1].length = 16;
	struct text *path = TEXT(note, 2, "file");
	long length = d_path(&bprm->file->f_path, path->text, BYTES / 2);
	path->length = length < 0 ? FAULT : length - 1;
	ring_submit(note, 0);
	return 0;
}
