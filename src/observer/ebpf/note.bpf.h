/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
 *
 * What the programs have in common: the kernel's structs as far as they are read, the note that an
 * event leaves, and the maps that they share with the observer. `note.rs` reads what this writes.
 *
 * The structs are those of the kernel without most of their fields; where a field lies
 * in the running kernel is put in when a program is loaded (CO-RE).
 */
#ifndef NOTE_BPF_H
#define NOTE_BPF_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define KERNEL __attribute__((preserve_access_index))

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct path;
struct task_struct;

/* Helpers, by the numbers of include/uapi/linux/bpf.h. */
static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*map_delete)(void *map, const void *key) = (void *)3;
static u64 (*current_pid_tgid)(void) = (void *)14;
static u64 (*current_uid_gid)(void) = (void *)15;
static long (*current_comm)(void *into, u32 size) = (void *)16;
static struct task_struct *(*current_task)(void) = (void *)35;
static u64 (*current_cgroup)(void) = (void *)80;
static long (*read_user)(void *into, u32 size, const void *from) = (void *)112;
static long (*read_kernel)(void *into, u32 size, const void *from) = (void *)113;
static long (*read_user_str)(void *into, u32 size, const void *from) = (void *)114;
static long (*read_kernel_str)(void *into, u32 size, const void *from) = (void *)115;
static void *(*ring_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*ring_submit)(void *data, u64 flags) = (void *)132;
static long (*d_path)(struct path *path, char *into, u32 size) = (void *)147;

struct qstr {
	u32 len;
	u8 *name;
} KERNEL;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} KERNEL;

struct vfsmount {
	struct dentry *mnt_root;
} KERNEL;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} KERNEL;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} KERNEL;

struct file {
	struct path f_path;
	u32 f_flags;
} KERNEL;

struct linux_binprm {
	struct file *file;
	char *filename;
	char *interp;
	s32 argc;
} KERNEL;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
} KERNEL;

struct fs_struct {
	struct path pwd;
} KERNEL;

typedef struct {
	u32 val;
} KERNEL kuid_t, kgid_t;

struct cred {
	kuid_t uid, euid;
	kgid_t gid, egid;
} KERNEL;

struct kernfs_node {
	u64 id;
} KERNEL;

struct cgroup {
	struct kernfs_node *kn;
} KERNEL;

struct css_set {
	struct cgroup *dfl_cgrp;
} KERNEL;

struct task_struct {
	s32 pid, tgid;
	struct task_struct *real_parent;
	struct cred *cred;
	kuid_t loginuid;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct css_set *cgroups;
	s32 exit_code;
	char comm[16];
} KERNEL;

/* Reads a field of a struct of the kernel; 0 where there is nothing. */
#define READ(place)                                             \
	({                                                      \
		__typeof__(place) value_ = 0;                   \
		read_kernel(&value_, sizeof(value_), &(place)); \
		value_;                                         \
	})

/* A name and a value of 8 bytes each; the name is that of a field of a report. */
struct number {
	char field[8];
	u64 value;
};

/* A name, where the text begins, and the text up to its first zero byte. */
#define BYTES 1024
struct text {
	char field[8];
	u32 from;
	u32 length;
	char text[BYTES];
};

#define NUMBERS 8
#define TEXTS 6

/* What an event leaves. Of a short note everything up to the texts is there. */
struct note {
	char kind[8];
	char source[32];
	u32 steps;
	s32 pid, tid;
	u32 numbers, texts, spare;
	struct number number[NUMBERS];
	struct text text[TEXTS];
};
#define SHORT __builtin_offsetof(struct note, text)

/* What the observer tells: whether it listens, and how many steps there were. */
struct told {
	u32 armed, steps;
};

struct {
	u32 (*type)[27]; /* BPF_MAP_TYPE_RINGBUF */
	u32 (*max_entries)[1 << 20];
} NOTES SEC(".maps");

struct {
	u32 (*type)[2]; /* BPF_MAP_TYPE_ARRAY */
	u32 *key;
	struct told *value;
	u32 (*max_entries)[1];
} TOLD SEC(".maps");

/* How many notes there was no room for, and how many were begun. */
struct {
	u32 (*type)[2];
	u32 *key;
	u64 *value;
	u32 (*max_entries)[2];
} COUNTED SEC(".maps");

/* A word, and zero bytes up to the end of its place. */
#define WORD(into, word) \
	__builtin_memcpy(into, &(const struct { char text[sizeof(into)]; }){ word }, sizeof(into))

INLINE void count(u32 what)
{
	u64 *counted = map_lookup(&COUNTED, &what);
	if (counted)
		__sync_fetch_and_add(counted, 1);
}

/* A note with nothing in it yet; none where nobody listens, or there is no room for it. */
INLINE struct note *reserve(u64 size)
{
	u32 zero = 0;
	struct told *told = map_lookup(&TOLD, &zero);
	if (!told || !told->armed)
		return 0;
	struct note *note = ring_reserve(&NOTES, size, 0);
	/* The verifier of 5.10 lets nobody ask twice whether there is one. */
	if (!note) {
		count(0);
		return 0;
	}
	count(1);
	u64 id = current_pid_tgid();
	note->steps = told->steps;
	note->pid = id >> 32;
	note->tid = (u32)id;
	note->numbers = 0;
	note->texts = 0;
	note->spare = 0;
	return note;
}

#define BEGIN(is, from, size)                             \
	({                                                \
		struct note *note_ = reserve(size);       \
		if (note_) {                              \
			WORD(note_->kind, is);            \
			WORD(note_->source, from);        \
		}                                         \
		note_;                                    \
	})

/* The places for numbers and texts are counted when a program is compiled. */
#define NUMBER(note, at, name, is)                        \
	({                                                \
		(note)->numbers = (at) + 1;               \
		WORD((note)->number[at].field, name);     \
		(note)->number[at].value = is;            \
	})

#define TEXT(note, at, name)                              \
	({                                                \
		(note)->texts = (at) + 1;                 \
		WORD((note)->text[at].field, name);       \
		(note)->text[at].from = 0;                \
		(note)->text[at].length = 0;              \
		&(note)->text[at];                        \
	})

/* What cannot be read, and what is not known. */
#define FAULT 0xffffffff
#define UNKNOWN 0xfffffffe
/* With where a text begins: there was no room for what stands before it, or behind it. */
#define CUT_BEFORE 0x80000000
#define CUT_BEHIND 0x40000000

/* A string of the kernel, up to half of a text with its zero byte; one byte more tells whether it goes on. */
INLINE void string(struct text *into, const char *from)
{
	long length = read_kernel_str(into->text, BYTES / 2 + 1, from);
	into->length = length < 0 ? FAULT : length - 1;
	if (length > BYTES / 2) {
		into->length = BYTES / 2 - 1;
		into->from = CUT_BEHIND;
	}
}

/* The arguments of a process whose pages are there, each with its zero byte. */
INLINE void arguments(struct text *into, struct mm_struct *mm)
{
	unsigned long from = READ(mm->arg_start);
	u64 length = READ(mm->arg_end) - from;
	if (length >= BYTES / 2) {
		length = BYTES / 2 - 1;
		into->from = CUT_BEHIND;
	}
	into->length = read_user(into->text, length & (BYTES / 2 - 1), (void *)from) < 0 ? FAULT : length;
}

/* As many names and mounts are followed. */
#define DEPTH 24

/* The path of a dentry on a mount, name by name up to the root of the mount namespace: what a program
 * has to do where no helper is called. A name in no directory stands for itself. */
INLINE void walk(struct text *into, struct path *path)
{
	struct dentry *dentry = READ(path->dentry);
	struct vfsmount *own = READ(path->mnt);
	struct mount *mount = (void *)own - (unsigned long)&((struct mount *)0)->mnt;

	/* Where the path begins is kept in the note: the verifier then knows no more of it in one turn than in
	 * another, and has one state a turn to look at. */
	u32 whole = 0;
	into->from = BYTES / 2;
	for (u32 step = 0; step < DEPTH; step++) {
		struct dentry *parent = READ(dentry->d_parent);
		if (dentry == READ(mount->mnt.mnt_root)) {
			struct mount *up = READ(mount->mnt_parent);
			if (up == mount) {
				whole = 1;
				break;
			}
			dentry = READ(mount->mnt_mountpoint);
			mount = up;
			continue;
		}
		u32 length = READ(dentry->d_name.len) & 255;
		u32 at = into->from;
		if (length + 1 > at)
			break;
		at -= length;
		read_kernel(&into->text[at & (BYTES / 2 - 1)], length, READ(dentry->d_name.name));
		if (dentry != parent) {
			at--;
			into->text[at & (BYTES / 2 - 1)] = '/';
		}
		into->from = at;
		if (dentry == parent) {
			whole = 1;
			break;
		}
		dentry = parent;
	}
	if (into->from == BYTES / 2)
		into->text[(--into->from) & (BYTES / 2 - 1)] = '/';
	into->length = BYTES / 2 - into->from;
	if (!whole)
		into->from |= CUT_BEFORE;
}

#endif
