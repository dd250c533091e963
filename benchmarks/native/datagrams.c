/* Datagrams back and forth, so many in flight; what is not answered in time is lost, and asked
   anew. A socket has up to eight in flight: Linux lets no more than ten wait at a Unix one. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_SOCKET 8
#define SIZE 64
#define TOO_LATE 500000000ull /* ns */

struct slot {
    uint32_t number;
    int due; /* to be sent when the socket takes it */
    uint64_t asked;
    char payload[SIZE];
};

struct sender {
    int slots, due;
    struct slot slot[PER_SOCKET];
};

static void renew(struct sender *sender, int which)
{
    struct slot *slot = &sender->slot[which];
    slot->number++;
    slot->due = 1;
    sender->due++;
    slot->payload[0] = (char)('a' + which);
    memcpy(slot->payload + 1, &slot->number, sizeof slot->number);
}

static void send_due(int fd, struct sender *sender)
{
    struct mmsghdr messages[PER_SOCKET] = {0};
    struct iovec parts[PER_SOCKET];
    struct slot *which[PER_SOCKET];
    unsigned n = 0;
    uint64_t time = now();
    for (int i = 0; i < sender->slots; i++)
        if (sender->slot[i].due) {
            which[n] = &sender->slot[i];
            which[n]->asked = time;
            parts[n] = (struct iovec){which[n]->payload, SIZE};
            messages[n].msg_hdr = (struct msghdr){.msg_iov = &parts[n], .msg_iovlen = 1};
            n++;
        }
    int sent = sendmmsg(fd, messages, n, MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS)
        fail("sendmmsg");
    for (int i = 0; i < sent; i++)
        which[i]->due = 0;
    sender->due -= sent > 0 ? sent : 0;
}

/* Take the answers that have come; each makes room for the next question. */
static void receive(int fd, struct sender *sender, struct window *window)
{
    struct mmsghdr messages[PER_SOCKET * 2] = {0};
    struct iovec parts[PER_SOCKET * 2];
    char payloads[PER_SOCKET * 2][SIZE + 1];
    for (int i = 0; i < PER_SOCKET * 2; i++) {
        parts[i] = (struct iovec){payloads[i], SIZE + 1};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(fd, messages, PER_SOCKET * 2, MSG_DONTWAIT, NULL);
    if (n < 0 && errno != EAGAIN)
        fail("recvmmsg");
    uint64_t time = now();
    for (int i = 0; i < n; i++) {
        int which = payloads[i][0] - 'a';
        if (messages[i].msg_len != SIZE || which < 0 || which >= sender->slots)
            window->errors++;
        else if (!memcmp(payloads[i], sender->slot[which].payload, SIZE)) {
            count(window, sender->slot[which].asked, time, 0);
            renew(sender, which);
        } /* else it comes after it was given up, and has been counted as lost */
    }
}

static void give_up_the_late(struct sender *sender, struct window *window)
{
    uint64_t time = now();
    for (int i = 0; i < sender->slots; i++)
        if (!sender->slot[i].due && time - sender->slot[i].asked > TOO_LATE) {
            window->errors++;
            renew(sender, i);
        }
}

/* Count the questions that are out. */
static int unanswered(const struct sender *senders, int sockets)
{
    int sum = 0;
    for (int i = 0; i < sockets; i++)
        sum += senders[i].slots - senders[i].due;
    return sum;
}

void run_datagrams(const char *where, int in_flight, double seconds)
{
    struct address server = address_of(where);
    int sockets = (in_flight + PER_SOCKET - 1) / PER_SOCKET;
    struct sender *senders = calloc((size_t)sockets, sizeof *senders);
    struct pollfd *polled = calloc((size_t)sockets, sizeof *polled);
    for (int i = 0; i < in_flight; i++) {
        struct sender *sender = &senders[i % sockets];
        memset(sender->slot[sender->slots].payload, '.', SIZE);
        sender->slots++;
        renew(sender, sender->slots - 1);
    }
    for (int i = 0; i < sockets; i++)
        if ((polled[i].fd = opened(&server, SOCK_DGRAM, 0)) < 0)
            fail("connect");
    struct window window = window_of(seconds);
    uint64_t check = now() + TOO_LATE / 4, time;
    int asking = 1, waiting = in_flight;
    while (waiting && (time = now()) < window.until + TOO_LATE) {
        asking = time < window.until;
        waiting = asking ? in_flight : unanswered(senders, sockets);
        for (int i = 0; i < sockets; i++) {
            if (senders[i].due && asking)
                send_due(polled[i].fd, &senders[i]);
            polled[i].events = (short)(POLLIN | (senders[i].due && asking ? POLLOUT : 0));
        }
        poll(polled, (nfds_t)sockets, 50);
        for (int i = 0; i < sockets; i++)
            if (polled[i].revents & POLLIN)
                receive(polled[i].fd, &senders[i], &window);
        if (asking && now() > check) {
            for (int i = 0; i < sockets; i++)
                give_up_the_late(&senders[i], &window);
            check = now() + TOO_LATE / 4;
        }
    }
    window.errors += unanswered(senders, sockets);
    report(&window, NULL, 0);
}
