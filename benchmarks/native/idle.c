/* Many connections at rest. Says what it has done on a line, and waits for a line before it goes
   on, so that the memory of the server can be read in between. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define AT_ONCE 64 /* connections on their way, below every backlog */
#define FIRST 100  /* of these the server learns what each server has once */

struct client {
    int fd;
    uint64_t asked;
};

static struct client *all;
static int epoll;

static void ask(struct client *client)
{
    client->asked = now();
    if (send(client->fd, QUESTION, LINE_LENGTH, MSG_NOSIGNAL) != (ssize_t)LINE_LENGTH)
        fail("send");
}

static void come(int number, const struct address *server)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    if ((all[number].fd = opened(server, SOCK_STREAM, 0)) < 0)
        fail("connect");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[number].fd, &event) < 0)
        fail("epoll_ctl");
    ask(&all[number]);
}

/* Wait for one whole answer and return whose it was. An answer of this length comes at once. */
static int answered(void)
{
    struct epoll_event event;
    char answer[256];
    if (epoll_wait(epoll, &event, 1, 20000) != 1)
        fail("no answer for 20 s");
    int number = (int)event.data.u32;
    if (recv(all[number].fd, answer, sizeof answer, 0) != (ssize_t)LINE_LENGTH)
        fail("not the answer");
    return number;
}

/* Open connections until there are so many; each counts when its first line is answered. */
static void open_all(int from, int until, const struct address *server)
{
    int next = from;
    for (int done = from; done < until;) {
        while (next < until && next - done < AT_ONCE)
            come(next++, server);
        answered();
        done++;
    }
}

static void pause_here(const char *what, double seconds)
{
    char line[64];
    printf("{\"%s\": %.6f}\n", what, seconds);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(0);
}

void run_idle(const char *where, int clients, int sample)
{
    struct address server = address_of(where);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    all = calloc((size_t)(clients + FIRST), sizeof *all);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    open_all(0, FIRST, &server);
    pause_here("warm", 0);
    uint64_t began = now();
    open_all(FIRST, FIRST + clients, &server);
    pause_here("opened", (double)(now() - began) / 1e9);
    struct window window = {.until = UINT64_MAX};
    srandom(1);
    began = now();
    for (int i = 0; i < sample; i++) {
        struct client *client = &all[FIRST + random() % clients];
        ask(client);
        int number = answered();
        count(&window, all[number].asked, now(), 0);
    }
    window.seconds = (double)(now() - began) / 1e9;
    report(&window, NULL, 0);
}
