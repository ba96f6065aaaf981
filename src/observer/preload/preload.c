/*
 * What LD_PRELOAD loads into dynamic programs: the exec and spawn functions of the C library, each saying
 * what it was given before it goes on to the real one. It names no library and opens one file, of /proc: a
 * datagram goes to an abstract socket, with which the kernel tells who sent it. build.rs compiles it; mod.rs beside
 * it reads what it says.
 *
 * A message is a letter and strings that end with a zero byte: the name of the function, then
 *   C  it is called: path, arguments
 *   R  it failed: errno
 *   S  it started a process: number, path, arguments
 *   L  the loader has loaded us: exe, arguments
 */
#include <stdarg.h>
#include <stddef.h>

/* Of the C library that is there already, whichever it is. */
extern void *dlsym(void *, const char *);
extern int *__errno_location(void);

#define NEXT ((void *)-1L) /* RTLD_NEXT */
#define SHOWN __attribute__((visibility("default")))

enum { READ = 0, OPEN = 2, CLOSE = 3, SOCKET = 41, SENDTO = 44, READLINK = 89 };

typedef char *const *words;

static long sys6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

struct message {
	size_t length;
	char bytes[4096]; /* FULL in message.rs: one that fills it has been cut. */
};

static void add_byte(struct message *message, char byte)
{
	if (message->length < sizeof message->bytes)
		message->bytes[message->length++] = byte;
}

static void add(struct message *message, const char *text)
{
	for (; text && *text; text++)
		add_byte(message, *text);
	add_byte(message, 0);
}

static void add_number(struct message *message, unsigned number)
{
	char digits[12];
	int place = sizeof digits;
	digits[--place] = 0;
	do
		digits[--place] = (char)('0' + number % 10);
	while (number /= 10);
	add(message, digits + place);
}

static void add_all(struct message *message, words argv)
{
	for (; argv && *argv; argv++)
		add(message, *argv);
}

static void begin(struct message *message, char what, const char *name)
{
	message->length = 0;
	add_byte(message, what);
	if (name)
		add(message, name);
}

/* Who does not listen hears nothing, and nobody waits. */
static void say(const struct message *message)
{
	static const struct {
		unsigned short family;
		char name[17];
	} place = { 1, "\0exetrail-preload" };
	enum { DATAGRAM_CLOEXEC = 02000002, DONTWAIT_NOSIGNAL = 0x4040 };
	long fd = sys6(SOCKET, 1, DATAGRAM_CLOEXEC, 0, 0, 0, 0);
	if (fd < 0)
		return;
	sys6(SENDTO, fd, (long)message->bytes, (long)message->length, DONTWAIT_NOSIGNAL, (long)&place,
	     sizeof place.family + sizeof place.name);
	sys6(CLOSE, fd, 0, 0, 0, 0, 0);
}

static void called(const char *name, const char *path, words argv)
{
	struct message message;
	begin(&message, 'C', name);
	add(&message, path);
	add_all(&message, argv);
	say(&message);
}

static void failed(const char *name, int number)
{
	struct message message;
	begin(&message, 'R', name);
	add_number(&message, (unsigned)number);
	say(&message);
}

static void started(const char *name, int pid, const char *path, words argv)
{
	struct message message;
	begin(&message, 'S', name);
	add_number(&message, (unsigned)pid);
	add(&message, path);
	add_all(&message, argv);
	say(&message);
}

/* An exec that comes back has failed. */
static int back(const char *name, int result)
{
	int number = *__errno_location();
	failed(name, number);
	*__errno_location() = number;
	return result;
}

__attribute__((constructor)) static void loaded(void)
{
	struct message message;
	char path[4096];
	begin(&message, 'L', NULL);
	long length = sys6(READLINK, (long)"/proc/self/exe", (long)path, sizeof path - 1, 0, 0, 0);
	path[length > 0 ? length : 0] = 0;
	add(&message, path);
	long fd = sys6(OPEN, (long)"/proc/self/cmdline", 02000000, 0, 0, 0, 0);
	if (fd >= 0) {
		size_t room = sizeof message.bytes - message.length;
		length = sys6(READ, fd, (long)(message.bytes + message.length), (long)room, 0, 0, 0);
		if (length > 0)
			message.length += (size_t)length;
		sys6(CLOSE, fd, 0, 0, 0, 0, 0);
	}
	say(&message);
}

typedef int (*with_words)(const char *, words);
typedef int (*with_both)(const char *, words, words);

SHOWN int execve(const char *path, words argv, words envp)
{
	called("execve", path, argv);
	return back("execve", ((with_both)dlsym(NEXT, "execve"))(path, argv, envp));
}

SHOWN int execv(const char *path, words argv)
{
	called("execv", path, argv);
	return back("execv", ((with_words)dlsym(NEXT, "execv"))(path, argv));
}

SHOWN int execvp(const char *path, words argv)
{
	called("execvp", path, argv);
	return back("execvp", ((with_words)dlsym(NEXT, "execvp"))(path, argv));
}

SHOWN int execvpe(const char *path, words argv, words envp)
{
	called("execvpe", path, argv);
	return back("execvpe", ((with_both)dlsym(NEXT, "execvpe"))(path, argv, envp));
}

SHOWN int fexecve(int fd, words argv, words envp)
{
	struct message path;
	path.length = 0;
	for (const char *place = "/dev/fd/"; *place; place++)
		add_byte(&path, *place);
	add_number(&path, (unsigned)fd);
	called("fexecve", path.bytes, argv);
	return back("fexecve",
		    ((int (*)(int, words, words))dlsym(NEXT, "fexecve"))(fd, argv, envp));
}

SHOWN int execveat(int fd, const char *path, words argv, words envp, int flags)
{
	called("execveat", path, argv);
	return back("execveat", ((int (*)(int, const char *, words, words, int))dlsym(
					NEXT, "execveat"))(fd, path, argv, envp, flags));
}

/* The arguments of the three that have them one by one; what follows is left in the list. */
#define GATHER(argv, list, first)                                      \
	size_t count = 1;                                               \
	va_list list, twin;                                             \
	va_start(list, first);                                          \
	va_copy(twin, list);                                            \
	while (va_arg(twin, char *))                                    \
		count++;                                                \
	va_end(twin);                                                   \
	char *argv[count + 1];                                          \
	argv[0] = (char *)first;                                        \
	for (size_t place = 1; place <= count; place++)                 \
		argv[place] = va_arg(list, char *)

SHOWN int execl(const char *path, const char *first, ...)
{
	GATHER(argv, list, first);
	va_end(list);
	called("execl", path, argv);
	return back("execl", ((with_words)dlsym(NEXT, "execv"))(path, argv));
}

SHOWN int execlp(const char *path, const char *first, ...)
{
	GATHER(argv, list, first);
	va_end(list);
	called("execlp", path, argv);
	return back("execlp", ((with_words)dlsym(NEXT, "execvp"))(path, argv));
}

SHOWN int execle(const char *path, const char *first, ...)
{
	GATHER(argv, list, first);
	words envp = va_arg(list, words);
	va_end(list);
	called("execle", path, argv);
	return back("execle", ((with_both)dlsym(NEXT, "execve"))(path, argv, envp));
}

typedef int (*spawn)(int *, const char *, const void *, const void *, words, words);

static int spawned(const char *name, int *pid, const char *path, const void *actions,
		   const void *attributes, words argv, words envp)
{
	int own;
	int *place = pid ? pid : &own;
	called(name, path, argv);
	int number = ((spawn)dlsym(NEXT, name))(place, path, actions, attributes, argv, envp);
	if (number)
		failed(name, number);
	else
		started(name, *place, path, argv);
	return number;
}

SHOWN int posix_spawn(int *pid, const char *path, const void *actions, const void *attributes,
		      words argv, words envp)
{
	return spawned("posix_spawn", pid, path, actions, attributes, argv, envp);
}

SHOWN int posix_spawnp(int *pid, const char *path, const void *actions, const void *attributes,
		       words argv, words envp)
{
	return spawned("posix_spawnp", pid, path, actions, attributes, argv, envp);
}

SHOWN int system(const char *line)
{
	const char *argv[] = { "sh", "-c", line, NULL };
	called("system", "/bin/sh", (words)argv);
	return ((int (*)(const char *))dlsym(NEXT, "system"))(line);
}

SHOWN void *popen(const char *line, const char *type)
{
	const char *argv[] = { "sh", "-c", line, NULL };
	called("popen", "/bin/sh", (words)argv);
	return ((void *(*)(const char *, const char *))dlsym(NEXT, "popen"))(line, type);
}
