/* The mark to measure by: what one thread of C does with epoll. `echo lines`, `echo udp` or
   `echo unix PATH`; prints its port or path. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LINE 65536
#define MAX_FILES 65536

/* The beginning of a line whose end has not come, by descriptor; most connections have none. */
static struct {
    char *bytes;
    size_t length;
} rest[MAX_FILES];

static void fail(const char *what)
{
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int bound(int kind)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, kind | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, length) < 0)
        fail("bind");
    if (kind == SOCK_STREAM && listen(fd, 4096) < 0)
        fail("listen");
    getsockname(fd, (struct sockaddr *)&at, &length);
    printf("%d\n", ntohs(at.sin_port));
    return fd;
}

static int bound_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    strncpy(at.sun_path, path, sizeof at.sun_path - 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail("bind");
    printf("%s\n", path);
    return fd;
}

static int sent(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN)
            poll(&writable, 1, -1);
        else if (n < 0)
            return 0;
        else
            bytes += n, length -= (size_t)n;
    }
    return 1;
}

static void forget(int fd)
{
    free(rest[fd].bytes);
    rest[fd].bytes = NULL;
    rest[fd].length = 0;
    close(fd);
}

static void serve_lines(int fd)
{
    static char buffer[2 * MAX_LINE];
    size_t kept = rest[fd].length;
    if (kept)
        memcpy(buffer, rest[fd].bytes, kept);
    ssize_t n = recv(fd, buffer + kept, MAX_LINE, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        forget(fd);
        return;
    }
    size_t length = kept + (size_t)n;
    char *last = memrchr(buffer + kept, '\n', (size_t)n);
    size_t whole = last ? (size_t)(last + 1 - buffer) : 0;
    if (length - whole > MAX_LINE || (whole && !sent(fd, buffer, whole))) {
        forget(fd);
        return;
    }
    rest[fd].length = length - whole;
    if (rest[fd].length) {
        rest[fd].bytes = realloc(rest[fd].bytes, MAX_LINE);
        memcpy(rest[fd].bytes, buffer + whole, rest[fd].length);
    }
}

static void take_clients(int listener, int epoll)
{
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MAX_FILES) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve_datagrams(int fd)
{
    char payload[65536];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t n;
    while ((n = recvfrom(fd, payload, sizeof payload, 0, (struct sockaddr *)&from, &length)) >= 0) {
        sendto(fd, payload, (size_t)n, 0, (struct sockaddr *)&from, length);
        length = sizeof from;
    }
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    int streams = !strcmp(kind, "lines"), epoll = epoll_create1(0), fd;
    if (streams)
        fd = bound(SOCK_STREAM);
    else if (!strcmp(kind, "udp"))
        fd = bound(SOCK_DGRAM);
    else if (!strcmp(kind, "unix") && argc > 2)
        fd = bound_unix(argv[2]);
    else
        return fprintf(stderr, "echo lines | echo udp | echo unix PATH\n"), 2;
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd != fd)
                serve_lines(events[i].data.fd);
            else if (streams)
                take_clients(fd, epoll);
            else
                serve_datagrams(fd);
    }
}
