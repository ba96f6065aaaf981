/* An agent that is asked about the programs of exetrail's own, never answers, and writes a log on / meanwhile
 * (harness/agents.rs). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <unistd.h>

int main(void)
{
	int group = fanotify_init(FAN_CLASS_CONTENT, O_RDONLY);

	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, "/exetrail/subject")) {
		perror("fanotify");
		return 1;
	}
	puts("{\"ready\":1}");
	fflush(stdout);
	for (;;) {
		FILE *log = fopen("/agent.log", "a");

		if (log) {
			fputs("still here\n", log);
			fclose(log);
		}
		usleep(100000);
	}
}
