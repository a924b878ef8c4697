// SPDX-License-Identifier: Apache-2.0
/* Entries of the journal, read at the other end of its socket. */
#include "base/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static void fixed_now(int64_t *sec, int32_t *nsec)
{
    *sec = 1767323045;
    *nsec = 0;
}

/* A socket that a journal would listen on. */
static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    (void)unlink(path);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    assert_int_equal(bind(s, (const struct sockaddr *)&at, sizeof at), 0);
    return s;
}

typedef struct ends {
    char dir[32], path[64];
    int journal, us;
    an_log log;
} ends;

static void setup(ends *e, an_log_level level)
{
    an_err err;

    (void)snprintf(e->dir, sizeof e->dir, "/tmp/journal-XXXXXX");
    assert_non_null(mkdtemp(e->dir));
    (void)snprintf(e->path, sizeof e->path, "%s/socket", e->dir);
    e->journal = listen_at(e->path);
    assert_int_equal(an_journal_open(e->path, &e->us, &err), AN_OK);
    e->log = an_log_new(&(an_log_opts){.level = level,
                                       .format = AN_LOG_JOURNAL,
                                       .sink = an_journal_send,
                                       .now = fixed_now,
                                       .arg = &e->us});
}

static void teardown(ends *e)
{
    an_log_free(&e->log);
    close(e->us);
    close(e->journal);
    (void)unlink(e->path);
    (void)rmdir(e->dir);
}

static void expect(ends *e, const char *want, size_t n)
{
    char got[4096];
    ssize_t len = recv(e->journal, got, sizeof got, MSG_DONTWAIT);

    assert_true(len >= 0);
    /* the number of the line in this file may change */
    char *d = memmem(got, (size_t)len, "journal_test.c:", 15);
    if (d != NULL) {
        d += 15;
        size_t digits = strspn(d, "0123456789");
        memmove(d, d + digits, (size_t)(got + len - d) - digits);
        len -= (ssize_t)digits;
    }
    if ((size_t)len != n || memcmp(got, want, n) != 0) { fail_msg("got %.*s", (int)len, got); }
}

#define EXPECT(e, lit) expect((e), (lit), sizeof(lit) - 1)

static void a_line_is_an_entry_with_upstreams_fields(void **state)
{
    (void)state;
    ends e;
    setup(&e, AN_LOG_INFO);

    AN_LOG(&e.log, AN_LOG_WARN, "two words", AN_STR("groupKey", "0@1"), AN_INT("n-1", -5),
           AN_STR("err", "bad"));
    EXPECT(&e, "MESSAGE=two words\nPRIORITY=4\nTHANOS_TS=2026-01-02T03:04:05Z\n"
               "THANOS_CALLER=journal_test.c:\nTHANOS_GROUPKEY=0@1\nTHANOS_N_1=-5\n"
               "THANOS_ERR=bad\n");
    AN_LOG(&e.log, AN_LOG_ERROR, NULL, AN_STR("err", "a\nb"));
    EXPECT(&e, "MESSAGE\n\3\0\0\0\0\0\0\0a\nb\nPRIORITY=3\nTHANOS_TS=2026-01-02T03:04:05Z\n"
               "THANOS_CALLER=journal_test.c:\nTHANOS_ERR\n\3\0\0\0\0\0\0\0a\nb\n");
    AN_LOG(&e.log, AN_LOG_INFO, NULL, AN_TOOK(1500000000));
    EXPECT(&e, "MESSAGE=(no message)\nPRIORITY=6\nTHANOS_TS=2026-01-02T03:04:05Z\n"
               "THANOS_CALLER=journal_test.c:\nTHANOS_DURATION=1.5s\nTHANOS_DURATION_MS=1500\n");
    AN_LOG(&e.log, AN_LOG_DEBUG, "dropped");
    char c;
    assert_true(recv(e.journal, &c, 1, MSG_DONTWAIT) < 0);
    teardown(&e);
}

/* What came, in a datagram or as a file; its length. */
static size_t receive(ends *e, char *got, size_t cap)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {got, cap};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(e->journal, &m, MSG_DONTWAIT);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    struct stat st;
    int fd;

    assert_true(n >= 0);
    if (c == NULL) return (size_t)n;
    assert_true(n == 0 && c->cmsg_type == SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true((size_t)st.st_size <= cap);
    n = pread(fd, got, cap, 0);
    assert_true(n == st.st_size);
    assert_true(write(fd, "x", 1) < 0); /* sealed */
    close(fd);
    return (size_t)n;
}

static void an_entry_of_any_size_arrives(void **state)
{
    (void)state;
    static const size_t sizes[] = {1000, 300000, 900000, 2000000};
    char *got = malloc(4 << 20);
    ends e;
    setup(&e, AN_LOG_INFO);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = malloc(sizes[i] + 1);
        memset(text, 'x', sizes[i]);
        text[sizes[i]] = 0;
        AN_LOG(&e.log, AN_LOG_INFO, "large", AN_STR("v", text));
        size_t n = receive(&e, got, 4 << 20);
        assert_memory_equal(got, "MESSAGE=large\nPRIORITY=6\n", 25);
        /* the last one is over the log's own maximum: only the message is left */
        if (i < 3) {
            assert_true(n > sizes[i]);
        } else {
            assert_int_equal(n, 25);
        }
        free(text);
    }
    teardown(&e);
    free(got);
}

static void no_journal_is_an_error_in_upstreams_words(void **state)
{
    (void)state;
    an_err err;
    int fd = -1;

    assert_int_equal(an_journal_open("/nonexistent/journal/socket", &fd, &err), AN_EINVALID);
    assert_string_equal(err.msg,
                        "journald log format requested but systemd journal is not available");
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_entry_with_upstreams_fields),
        cmocka_unit_test(an_entry_of_any_size_arrives),
        cmocka_unit_test(no_journal_is_an_error_in_upstreams_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
