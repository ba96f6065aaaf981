/* spawn COUNT PROGRAM: starts it so many times, one after the other; prints microseconds each.
 * Build: cc -O2 -o spawn spawn.c
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

int main(int argc, char **argv)
{
	char *none[] = { NULL };
	struct timespec a, b;
	int count = argc > 2 ? atoi(argv[1]) : 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < count; i++) {
		pid_t pid;
		int status;
		if (posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, none) ||
		    waitpid(pid, &status, 0) < 0 || status) {
			fprintf(stderr, "spawn: failed to start %s\n", argv[2]);
			return 2;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.2f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / 1e3 / count);
	return count < 1;
}
