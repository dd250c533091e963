/* Questions and answers on connections that stay open: lines, or HTTP with keep-alive. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HELLO "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct client {
    int fd, slow;
    size_t got;
    uint64_t asked;
    char answer[2048];
};

static int http;

static void ask(struct client *client, struct window *window)
{
    const char *question = http ? HELLO : client->slow ? SLOW_QUESTION : QUESTION;
    size_t length = strlen(question);
    client->got = 0;
    client->asked = now();
    if (send(client->fd, question, length, MSG_NOSIGNAL) != (ssize_t)length)
        window->errors++;
}

/* Return 1 for a whole answer, 2 for one after which the server closes, 0 for a part of one, -1 for
   a wrong one. */
static int whole(struct client *client)
{
    if (!http) {
        const char *right = client->slow ? SLOW_QUESTION : QUESTION;
        size_t length = client->slow ? SLOW_LENGTH : LINE_LENGTH;
        if (client->got < length)
            return 0;
        return client->got == length && !memcmp(client->answer, right, length) ? 1 : -1;
    }
    client->answer[client->got] = '\0';
    char *body = strstr(client->answer, "\r\n\r\n");
    if (!body)
        return 0;
    char *length = strcasestr(client->answer, "\r\ncontent-length:");
    if (!length || strncmp(client->answer, "HTTP/1.1 200", 12))
        return -1;
    if (client->got < (size_t)(body + 4 - client->answer) + strtoul(length + 17, NULL, 10))
        return 0;
    return strcasestr(client->answer, "\r\nconnection: close") ? 2 : 1;
}

/* Take what has come; returns what `whole` does, and -1 if this client is lost. */
static int heard(struct client *client)
{
    size_t room = sizeof client->answer - 1 - client->got;
    ssize_t n = recv(client->fd, client->answer + client->got, room, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    client->got += (size_t)n;
    return whole(client);
}

static void come(struct client *client, uint32_t number, const struct address *server, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if ((client->fd = opened(server, SOCK_STREAM, 0)) < 0)
        fail("connect");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
        fail("epoll_ctl");
}

void run_lines(const char *where, int clients, double seconds, int slow, int as_http)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), waiting = clients;
    struct epoll_event events[256];
    http = as_http;
    struct address server = address_of(where);
    struct client *all = calloc((size_t)clients, sizeof *all);
    long *counts = calloc((size_t)clients, sizeof *counts);
    for (int i = 0; i < clients; i++) {
        all[i].slow = i >= clients - slow;
        come(&all[i], (uint32_t)i, &server, epoll);
    }
    struct window window = window_of(seconds);
    for (int i = 0; i < clients; i++)
        ask(&all[i], &window);
    while (waiting > 0 && now() < window.until + PATIENCE) {
        int n = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            struct client *client = &all[events[i].data.u32];
            int result = heard(client);
            if (result < 0) {
                window.errors++;
                waiting--;
                close(client->fd);
            } else if (result) {
                uint64_t time = now();
                counts[client - all] += count(&window, client->asked, time, client->slow);
                if (result == 2) {
                    close(client->fd);
                    come(client, events[i].data.u32, &server, epoll);
                }
                if (time < window.until)
                    ask(client, &window);
                else
                    waiting--;
            }
        }
    }
    window.errors += waiting;
    report(&window, counts, clients - slow);
}
