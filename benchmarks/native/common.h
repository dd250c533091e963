/* What all modes of the load generator share. */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define QUESTION "a line of ordinary length, such as a protocol of lines would have\n"
#define SLOW_QUESTION "sleep, then answer this line as the others are: it is of their length\n"
#define LINE_LENGTH (sizeof(QUESTION) - 1)
#define SLOW_LENGTH (sizeof(SLOW_QUESTION) - 1)
#define PATIENCE 2000000000ull /* ns that the last answers are waited for */
#define BUCKETS 2048

struct address {
    struct sockaddr_storage at;
    socklen_t length;
};

/* One window of measuring: what came before `from` is warm-up, and counts only in `total`. */
struct window {
    uint64_t from, until;
    double seconds;
    long total;  /* all answers, for the CPU of each */
    long counted, slow, errors, stalled;
    uint64_t most;
    uint32_t times[BUCKETS];
};

uint64_t now(void);
void fail(const char *what);
struct address address_of(const char *text);
int opened(const struct address *server, int kind, int flags);
struct window window_of(double seconds);
/* Count one answer to a question asked at `asked`; returns whether it was inside the window. */
int count(struct window *window, uint64_t asked, uint64_t answered, int slow);
double percentile(const struct window *window, double share);
/* Print the window as JSON; `counts` are the answers of each fast client, or NULL. */
void report(const struct window *window, const long *counts, int clients);

void run_connect(const char *where, int clients, double seconds);
void run_lines(const char *where, int clients, double seconds, int slow, int http);
void run_datagrams(const char *where, int in_flight, double seconds);
void run_idle(const char *where, int clients, int sample);

#endif
