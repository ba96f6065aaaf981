/* What small fanotify loggers do, and what the monitor is held against: for each event look at the
 * process, log, and only then answer.
 *
 * logger MOUNT [buffered]: lines on standard output, written one by one (as on a terminal) or in
 * blocks. Build: cc -O2 -o logger logger.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void end(int signal)
{
	(void)signal;
	over = 1;
}

static void link_of(const char *link, char *target, size_t size)
{
	ssize_t length = readlink(link, target, size - 1);
	target[length < 0 ? 0 : length] = '\0';
}

static int parent_of(int pid)
{
	char path[64], line[256];
	int parent = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *status = fopen(path, "re");
	if (!status)
		return 0;
	while (fgets(line, sizeof line, status))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	fclose(status);
	return parent;
}

static void serve(int group, const struct fanotify_event_metadata *event)
{
	char link[64], exe[PATH_MAX], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", event->fd);
	link_of(link, path, sizeof path);
	snprintf(link, sizeof link, "/proc/%d/exe", event->pid);
	link_of(link, exe, sizeof exe);
	printf("perm=%s pid=%d ppid=%d exe=%s : path=%s\n",
	       event->mask & FAN_OPEN_EXEC_PERM ? "execute" : "open", event->pid,
	       parent_of(event->pid), exe, path);
	struct fanotify_response answer = { .fd = event->fd, .response = FAN_ALLOW };
	if (write(group, &answer, sizeof answer) < 0 && errno != ENOENT)
		perror("answer");
	close(event->fd);
}

int main(int argc, char **argv)
{
	static char buffer[8192] __attribute__((aligned(8)));
	if (argc < 2) {
		fprintf(stderr, "logger MOUNT [buffered]\n");
		return 2;
	}
	if (argc < 3 || strcmp(argv[2], "buffered") != 0)
		setvbuf(stdout, NULL, _IOLBF, 0);
	struct sigaction action = { .sa_handler = end };
	sigaction(SIGTERM, &action, NULL);
	int group = fanotify_init(FAN_CLOEXEC | FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE,
				  O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT,
				       FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, AT_FDCWD, argv[1])) {
		perror("logger");
		return 2;
	}
	fprintf(stderr, "watching %s\n", argv[1]);
	while (!over) {
		struct pollfd wait = { .fd = group, .events = POLLIN };
		if (poll(&wait, 1, -1) < 1)
			continue;
		ssize_t length = read(group, buffer, sizeof buffer);
		struct fanotify_event_metadata *event = (void *)buffer;
		for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
			serve(group, event);
	}
	return 0;
}
