/* Connect, one line, close; so many clients at once, each again and again. The client closes
   first: it knows that it has its answer. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ENOUGH_ERRORS 1000

struct client {
    int fd, asked_already;
    size_t got;
    uint64_t began;
    char answer[256];
};

/* Send the question, or leave it for when the connection is there; -1 if it broke. */
static int ask(struct client *client)
{
    ssize_t n = send(client->fd, QUESTION, LINE_LENGTH, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
        return -1;
    client->asked_already = n > 0;
    return 0;
}

static void come(struct client *client, const struct address *server, struct window *window,
                 int epoll, uint32_t number)
{
    struct epoll_event event = {.data.u32 = number};
    for (;;) {
        client->began = now();
        client->got = 0;
        client->fd = opened(server, SOCK_STREAM, SOCK_NONBLOCK);
        if (client->fd >= 0 && ask(client) == 0)
            break;
        if (client->fd >= 0)
            close(client->fd);
        if (++window->errors > ENOUGH_ERRORS)
            fail("connect");
    }
    event.events = EPOLLIN | (client->asked_already ? 0 : EPOLLOUT);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
        fail("epoll_ctl");
}

/* Return 1 for a whole answer, 0 if it is still to come, -1 if the connection broke. */
static int heard(struct client *client, int epoll, struct epoll_event *event)
{
    if (!client->asked_already) {
        struct epoll_event reading = {.events = EPOLLIN, .data = event->data};
        if (event->events & (EPOLLERR | EPOLLHUP) || ask(client) < 0)
            return -1;
        if (client->asked_already)
            epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &reading);
        return 0;
    }
    ssize_t n = recv(client->fd, client->answer + client->got, sizeof client->answer - client->got,
                     MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    client->got += (size_t)n;
    if (client->got < LINE_LENGTH)
        return 0;
    return client->got == LINE_LENGTH && !memcmp(client->answer, QUESTION, LINE_LENGTH) ? 1 : -1;
}

void run_connect(const char *where, int clients, double seconds)
{
    struct address server = address_of(where);
    struct client *all = calloc((size_t)clients, sizeof *all);
    struct window window = window_of(seconds);
    struct epoll_event events[256];
    int epoll = epoll_create1(EPOLL_CLOEXEC), waiting = clients;
    for (int i = 0; i < clients; i++)
        come(&all[i], &server, &window, epoll, (uint32_t)i);
    while (waiting > 0 && now() < window.until + PATIENCE) {
        int n = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            struct client *client = &all[events[i].data.u32];
            int result = heard(client, epoll, &events[i]);
            if (!result)
                continue;
            uint64_t time = now();
            if (result > 0)
                count(&window, client->began, time, 0);
            else if (++window.errors > ENOUGH_ERRORS)
                fail("connections");
            close(client->fd);
            if (time < window.until)
                come(client, &server, &window, epoll, events[i].data.u32);
            else
                waiting--;
        }
    }
    window.errors += waiting;
    report(&window, NULL, 0);
}
