/* The clients: `load MODE WHERE COUNT SECONDS [SLOW]`. Prints one JSON object. */
#include "common.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "load connect|lines|http|datagrams PORT-OR-PATH COUNT SECONDS [SLOW]\n"
                        "load idle PORT-OR-PATH COUNT SAMPLE\n");
        return 2;
    }
    const char *mode = argv[1], *where = argv[2];
    int clients = atoi(argv[3]);
    double seconds = atof(argv[4]);
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(mode, "connect"))
        run_connect(where, clients, seconds);
    else if (!strcmp(mode, "lines"))
        run_lines(where, clients, seconds, argc > 5 ? atoi(argv[5]) : 0, 0);
    else if (!strcmp(mode, "http"))
        run_lines(where, clients, seconds, 0, 1);
    else if (!strcmp(mode, "datagrams"))
        run_datagrams(where, clients, seconds);
    else if (!strcmp(mode, "idle"))
        run_idle(where, clients, atoi(argv[4]));
    else
        return fprintf(stderr, "load: no such mode: %s\n", mode), 2;
    return 0;
}
