/* An agent in C. The process connector reports each exec, with numbers alone; exe and comm are what
 * /proc says when the message is read. Build it with: cc -O2 -static -o exec-agent exec.c */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

/* A field of JSON with a string: what is not a plain ASCII character is written as its number. */
static void string(const char *name, const char *value, ssize_t length)
{
	if (length < 0)
		return; /* the process has ended: leave out a field that is not known */
	printf(",\"%s\":\"", name);
	for (ssize_t i = 0; i < length; i++) {
		unsigned char c = value[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void tell(int pid)
{
	char name[64], value[4096];

	printf("{\"event\":\"exec\",\"pid\":%d", pid);
	snprintf(name, sizeof name, "/proc/%d/exe", pid);
	string("exe", value, readlink(name, value, sizeof value));
	snprintf(name, sizeof name, "/proc/%d/comm", pid);
	FILE *comm = fopen(name, "r");
	if (comm) {
		size_t length = fread(value, 1, sizeof value, comm);
		string("comm", value, (ssize_t)length - 1); /* without its newline */
		fclose(comm);
	}
	printf("}\n");
}

int main(void)
{
	struct {
		struct nlmsghdr head;
		struct cn_msg message;
		enum proc_cn_mcast_op listen;
	} __attribute__((packed)) ask = {
		{ sizeof ask, NLMSG_DONE, 0, 0, 0 },
		{ { CN_IDX_PROC, CN_VAL_PROC }, 0, 0, sizeof(enum proc_cn_mcast_op), 0 },
		PROC_CN_MCAST_LISTEN,
	};
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);

	if (fd < 0 || bind(fd, (void *)&all, sizeof all) || send(fd, &ask, sizeof ask, 0) < 0) {
		perror("process connector");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* each line at once */
	printf("{\"ready\":1}\n");
	for (;;) {
		char buffer[4096] __attribute__((aligned(8)));
		if (recv(fd, buffer, sizeof buffer, 0) < 0) {
			printf("{\"lost\":1}\n"); /* ENOBUFS: messages were dropped */
			continue;
		}
		struct cn_msg *message = NLMSG_DATA((struct nlmsghdr *)buffer);
		struct proc_event *event = (void *)message->data;
		if (event->what == PROC_EVENT_EXEC)
			tell(event->event_data.exec.process_tgid);
	}
}
