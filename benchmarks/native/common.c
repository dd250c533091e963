/* Clock, addresses, histogram, report. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A number is a port on loopback, anything else the path of a Unix socket. */
struct address address_of(const char *text)
{
    struct address result = {.length = 0};
    char *rest;
    long port = strtol(text, &rest, 10);
    if (*rest == '\0') {
        struct sockaddr_in *ip = (struct sockaddr_in *)&result.at;
        ip->sin_family = AF_INET;
        ip->sin_port = htons((uint16_t)port);
        ip->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result.length = sizeof *ip;
    } else {
        struct sockaddr_un *local = (struct sockaddr_un *)&result.at;
        local->sun_family = AF_UNIX;
        strncpy(local->sun_path, text, sizeof local->sun_path - 1);
        result.length = sizeof *local;
    }
    return result;
}

/* Clients come from many addresses of 127/8 in turn: one address has 28,000 ports, and each
   connection that a client closes first keeps one for a while. */
static void spread(int fd)
{
    static uint32_t turn;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int yes = 1;
    turn = (turn + 1) % 32;
    from.sin_addr.s_addr = htonl(0x7f010001u + (turn << 8));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        fail("bind");
}

/* Return a connected socket (a non-blocking one may still be on its way), or -1 with errno. */
int opened(const struct address *server, int kind, int flags)
{
    int fd = socket(server->at.ss_family, kind | flags | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    if (server->at.ss_family == AF_INET)
        spread(fd);
    else if (kind == SOCK_DGRAM) { /* a name of the kernel's choice, to be answered at */
        sa_family_t unnamed = AF_UNIX;
        if (bind(fd, (struct sockaddr *)&unnamed, sizeof unnamed) < 0)
            fail("bind");
    }
    if (connect(fd, (const struct sockaddr *)&server->at, server->length) < 0 &&
        errno != EINPROGRESS && !(errno == EAGAIN && server->at.ss_family == AF_UNIX)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    if (server->at.ss_family == AF_INET && kind == SOCK_STREAM && !flags) {
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    return fd;
}

struct window window_of(double seconds)
{
    struct window window = {.seconds = seconds};
    double warm = seconds / 5 < 0.3 ? seconds / 5 : 0.3;
    window.from = now() + (uint64_t)(warm * 1e9);
    window.until = window.from + (uint64_t)(seconds * 1e9);
    return window;
}

/* 32 buckets for each power of two: what is read from them is at most 3 % too small. */
static int bucket_of(uint64_t time)
{
    int power = time < 64 ? 5 : 63 - __builtin_clzll(time);
    int bucket = (power - 5) * 32 + (int)((time >> (power - 5)) & 31);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double time_of(int bucket)
{
    return (double)(32 + bucket % 32) * (double)(1ull << (bucket / 32));
}

int count(struct window *window, uint64_t asked, uint64_t answered, int slow)
{
    uint64_t time = answered - asked;
    window->total++;
    if (answered < window->from || answered >= window->until)
        return 0;
    if (slow) {
        window->slow++;
        return 0;
    }
    window->counted++;
    window->stalled += time > 500000000ull;
    window->most = time > window->most ? time : window->most;
    window->times[bucket_of(time)]++;
    return 1;
}

double percentile(const struct window *window, double share)
{
    long seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += window->times[i]) > 0 && (double)seen >= share * (double)window->counted)
            return time_of(i) / 1e9;
    return 0;
}

void report(const struct window *window, const long *counts, int clients)
{
    struct rusage usage;
    long least = -1, sum = 0;
    getrusage(RUSAGE_SELF, &usage);
    for (int i = 0; counts && i < clients; i++) {
        sum += counts[i];
        least = least < 0 || counts[i] < least ? counts[i] : least;
    }
    printf("{\"operations\": %ld, \"seconds\": %.3f, \"total\": %ld, \"slow\": %ld, ",
           window->counted, window->seconds, window->total, window->slow);
    printf("\"errors\": %ld, \"stalled\": %ld, ", window->errors, window->stalled);
    if (counts && clients)
        printf("\"least\": %ld, \"mean\": %.1f, ", least, (double)sum / clients);
    printf("\"p50\": %.7f, \"p99\": %.7f, \"most\": %.7f, ", percentile(window, 0.5),
           percentile(window, 0.99), (double)window->most / 1e9);
    printf("\"cpu\": %.3f}\n",
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}
