/*
 * The load: opens connections to one server, keeps messages on their way, checks every byte that comes back, and tells what it
 * saw. It knows no protocol: what it sends, and what must come back, is in its script. Only compressed messages it takes out of
 * their frames first, since what they are compressed to is not always the same. One thread, one epoll.
 *
 *     load MODE PORT SERVER-PID CONNECTIONS DEPTH SCRIPT [tls] [takeover | no-takeover]
 *
 * The script is a file of lengths (32 bits, little-endian) and bytes: the request that opens a connection and a line its
 * answer must have (both empty if none is sent), the number of messages, of each the length as sent and as it comes back, then
 * all messages as sent, and all as they come back. After the last message comes the first again.
 *
 *     echo       DEPTH messages are under way on every connection
 *     broadcast  the first connection sends, every connection receives; DEPTH messages are under way
 *     handshake  connections are opened as fast as they go, DEPTH at once, and kept until the window is over
 *     visit      the same, but each sends the first message, gets its answer and the end, and is closed
 *
 * It says "{}" when it is ready. A line "MILLISECONDS" on its input begins a window. What it saw in it is one line of JSON:
 *
 *     {"count":N,"seconds":S,"server":S,"own":S,"latency":[[BUCKET,N],...]}
 *
 * `server` and `own` are seconds of CPU of all threads. A latency is the time from the write that carried (the end of) a
 * message to the read that completed its echo; bucket b holds those below 2^(b/16) ns. Anything wrong ends it with a line
 * {"error":"..."}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <math.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { BUCKETS = 16 * 40, EVENTS = 512, HEAD = 4096, READ = 1 << 18, OPENING = 128, MOST_OPEN = 9000, MOST_VISITS = 1000 };

enum mode { ECHO, BROADCAST, HANDSHAKE, VISIT };

enum state { CONNECTING, SECURING, OPENING_HEAD, OPEN };

/* Compressed messages, RFC 7692: the frame that is being read. */
typedef struct {
  z_stream stream;
  uint8_t head[10];
  unsigned head_size;
  uint64_t left, messages;
  bool inside;
} Inflater;

typedef struct {
  int fd;
  enum state state;
  bool wants_write, said;
  SSL *ssl;
  char *head;
  size_t head_size;
  uint64_t sent, received; /* bytes since it is open */
  uint64_t granted, done;  /* messages since it is open */
  uint64_t *stamps;        /* when each message under way was sent */
  Inflater *inflater;
} Connection;

static enum mode mode;
static struct sockaddr_in address;
static pid_t server;
static unsigned connections, depth;

static uint8_t *request, *answer, *sent, *echoed;
static uint32_t request_size, answer_size, count;
static uint64_t *sent_at, *echoed_at; /* where each message begins, and at [count] the size of all */

static int poller;
static Connection **open_ones;
static unsigned opened, opening;
static SSL_CTX *tls;
static SSL_SESSION *session;

static uint64_t total, histogram[BUCKETS];
static bool running, counting, inflates, takes_over;
static uint8_t buffer[READ];

static void fail(const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  printf("{\"error\":\"%s\"}\n", text);
  fflush(stdout);
  exit(1);
}

static uint64_t clock_of(clockid_t id) {
  struct timespec time;
  if (clock_gettime(id, &time) != 0) fail("the server is gone");
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now(void) { return clock_of(CLOCK_MONOTONIC); }

static uint64_t server_cpu(void) {
  clockid_t id;
  if (clock_getcpuclockid(server, &id) != 0) fail("the server is gone");
  return clock_of(id);
}

static void record(uint64_t nanos, uint64_t messages) {
  int bucket = nanos < 2 ? 0 : (int)(log2((double)nanos) * 16) + 1;
  histogram[bucket < BUCKETS ? bucket : BUCKETS - 1] += messages;
}

/* Bytes. */

enum { AGAIN = -1, END = 0 };

static ssize_t tls_result(Connection *c, int result) {
  if (result > 0) return result;
  int error = SSL_get_error(c->ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return AGAIN;
  if (error != SSL_ERROR_ZERO_RETURN && mode != VISIT) fail("TLS broke: %d", error);
  return END;
}

static ssize_t get(Connection *c, void *into, size_t size) {
  if (c->ssl != NULL) return tls_result(c, SSL_read(c->ssl, into, (int)size));
  ssize_t n = recv(c->fd, into, size, 0);
  if (n >= 0) return n;
  if (errno != EAGAIN) fail("a read failed: %s", strerror(errno));
  return AGAIN;
}

static ssize_t put(Connection *c, const void *from, size_t size) {
  if (c->ssl != NULL) return tls_result(c, SSL_write(c->ssl, from, (int)(size > 1 << 30 ? 1 << 30 : size)));
  ssize_t n = send(c->fd, from, size, MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno != EAGAIN) fail("a write failed: %s", strerror(errno));
  return AGAIN;
}

static void watch(Connection *c, int operation, bool writing) {
  struct epoll_event event = { .events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c };
  c->wants_write = writing;
  if (epoll_ctl(poller, operation, c->fd, &event) != 0) fail("epoll: %s", strerror(errno));
}

/* Opening and closing. */

static void start(void) {
  Connection *c = calloc(1, sizeof *c);
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("no socket: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    fail("no connection: %s", strerror(errno));
  }
  opening++;
  watch(c, EPOLL_CTL_ADD, true);
}

static void release(Connection *c, bool reset) {
  struct linger abrupt = { .l_onoff = 1, .l_linger = 0 };
  if (reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  if (c->ssl != NULL) SSL_free(c->ssl);
  if (c->inflater != NULL) {
    inflateEnd(&c->inflater->stream);
    free(c->inflater);
  }
  close(c->fd);
  free(c->head);
  free(c->stamps);
  free(c);
}

static void flush(Connection *c) {
  uint64_t target = c->granted / count * sent_at[count] + sent_at[c->granted % count];
  while (c->sent < target) {
    uint64_t at = c->sent % sent_at[count];
    uint64_t size = target - c->sent < sent_at[count] - at ? target - c->sent : sent_at[count] - at;
    ssize_t n = put(c, sent + at, size);
    if (n == AGAIN) {
      if (!c->wants_write) watch(c, EPOLL_CTL_MOD, true);
      return;
    }
    if (n == END) fail("a connection broke");
    c->sent += (uint64_t)n;
  }
  if (c->wants_write) watch(c, EPOLL_CTL_MOD, false);
}

static void grant(Connection *c, uint64_t messages, uint64_t time) {
  for (; messages > 0; messages--) c->stamps[c->granted++ % depth] = time;
  flush(c);
}

static void is_open(Connection *c) {
  c->state = OPEN;
  free(c->head);
  c->head = NULL;
  if (c->wants_write) watch(c, EPOLL_CTL_MOD, false);
  if (mode == VISIT) {
    c->granted = 1;
    flush(c);
    return;
  }
  opening--;
  open_ones[opened++] = c;
  if (mode == HANDSHAKE) total++;
  else c->stamps = calloc(depth, sizeof *c->stamps);
}

static void say_request(Connection *c) {
  if (request_size == 0) return is_open(c);
  if (put(c, request, request_size) != (ssize_t)request_size) fail("the request was not sent");
  c->state = OPENING_HEAD;
  c->head = calloc(1, HEAD + 1);
  watch(c, EPOLL_CTL_MOD, false);
}

static void secure(Connection *c) {
  int result = SSL_connect(c->ssl);
  if (result == 1) {
    if (session != NULL && !SSL_session_reused(c->ssl)) fail("a TLS session was not resumed");
    return say_request(c);
  }
  if (tls_result(c, result) != AGAIN) fail("no TLS");
  bool writing = SSL_get_error(c->ssl, result) == SSL_ERROR_WANT_WRITE;
  if (writing != c->wants_write) watch(c, EPOLL_CTL_MOD, writing);
}

static void is_connected(Connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) fail("no connection: %s", strerror(error));
  if (tls == NULL) return say_request(c);
  c->state = SECURING;
  c->ssl = SSL_new(tls);
  SSL_set_fd(c->ssl, c->fd);
  SSL_set_connect_state(c->ssl);
  if (session != NULL) {
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    SSL_set_session(c->ssl, copy);
    SSL_SESSION_free(copy);
  }
  secure(c);
}

static void read_answer(Connection *c) {
  /* Nothing follows an answer before the first message is sent. */
  ssize_t n = get(c, c->head + c->head_size, HEAD - c->head_size);
  if (n == AGAIN) return;
  if (n == END) fail("the end came instead of an answer");
  c->head_size += (size_t)n;
  char *end = memmem(c->head, c->head_size, "\r\n\r\n", 4);
  if (end == NULL && c->head_size < HEAD) return;
  if (end == NULL || end + 4 != c->head + c->head_size) fail("the answer is not a head alone");
  if (strncmp(c->head, "HTTP/1.1 101 ", 13) != 0 || memmem(c->head, c->head_size, answer, answer_size) == NULL) {
    fail("no upgrade");
  }
  is_open(c);
}

/* Messages. */

static void check(Connection *c, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    uint64_t at = c->received % echoed_at[count];
    size_t length = size < echoed_at[count] - at ? size : echoed_at[count] - at;
    if (memcmp(bytes, echoed + at, length) != 0) fail("what came back is wrong");
    bytes += length;
    size -= length;
    c->received += length;
  }
}

static uint64_t start_of(uint64_t message) { return message / count * echoed_at[count] + echoed_at[message % count]; }

static void check_inflated(Connection *c, const uint8_t *bytes, size_t size) {
  static uint8_t plain[1 << 16];
  z_stream *stream = &c->inflater->stream;
  stream->next_in = (uint8_t *)bytes;
  stream->avail_in = (unsigned)size;
  do {
    stream->next_out = plain;
    stream->avail_out = sizeof plain;
    int result = inflate(stream, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_BUF_ERROR) fail("what came back can't be inflated: %d", result);
    check(c, plain, sizeof plain - stream->avail_out);
  } while (stream->avail_out == 0);
}

static void end_frame(Connection *c) {
  static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
  Inflater *frame = c->inflater;
  frame->head_size = 0;
  frame->inside = frame->head[0] < 0x80;
  if (frame->inside) return;
  check_inflated(c, tail, sizeof tail);
  if (!takes_over) inflateReset(&frame->stream);
  if (c->received != start_of(++frame->messages)) fail("a message ends where it should not");
}

static void begin_frame(Connection *c) {
  Inflater *frame = c->inflater;
  const uint8_t *head = frame->head;
  if ((head[0] & 0x7f) != (frame->inside ? 0 : 0x41)) fail("a frame is not one of a compressed text");
  frame->left = head[1];
  if (head[1] >= 126) {
    frame->left = 0;
    for (unsigned i = 2; i < frame->head_size; i++) frame->left = frame->left << 8 | head[i];
    if (frame->left < (head[1] == 126 ? 126 : 0x10000)) fail("a length does not have its shortest form");
  }
  if (frame->left == 0) end_frame(c);
}

static void check_frames(Connection *c, const uint8_t *bytes, size_t size) {
  if (c->inflater == NULL) {
    c->inflater = calloc(1, sizeof *c->inflater);
    if (inflateInit2(&c->inflater->stream, -15) != Z_OK) fail("no inflater");
  }
  Inflater *frame = c->inflater;
  while (size > 0) {
    if (frame->left == 0) {
      frame->head[frame->head_size++] = *bytes++;
      size--;
      if (frame->head_size < 2) continue;
      if (frame->head[1] >= 0x80) fail("a server does not mask its frames");
      if (frame->head_size == (frame->head[1] < 126 ? 2 : frame->head[1] == 126 ? 4 : 10)) begin_frame(c);
    } else {
      size_t part = size < frame->left ? size : frame->left;
      check_inflated(c, bytes, part);
      bytes += part;
      size -= part;
      frame->left -= part;
      if (frame->left == 0) end_frame(c);
    }
  }
}

/* The number of messages that have come back whole; `done` is a number that had before. */
static uint64_t whole(uint64_t received, uint64_t done) {
  while (received >= start_of(done + 1)) done++;
  return done;
}

static void turn_broadcast(void) {
  static uint64_t complete;
  while (total - complete * connections >= connections) {
    complete++;
    if (running) grant(open_ones[0], 1, now());
  }
}

static void receive(Connection *c) {
  ssize_t n;
  do {
    n = get(c, buffer, READ);
    if (n == AGAIN) break;
    if (n == END) {
      if (mode != VISIT || c->done != 1) fail("the server has closed");
      total++;
      opening--;
      return release(c, false);
    }
    if (mode == HANDSHAKE) fail("a message nobody asked for");
    if (inflates) check_frames(c, buffer, (size_t)n);
    else check(c, buffer, (size_t)n);
  } while (c->ssl != NULL || n == READ);

  uint64_t before = c->done, after = whole(c->received, before);
  if (after == before) return;
  c->done = after;
  if (mode == VISIT) return;
  if (after > (mode == BROADCAST ? open_ones[0] : c)->granted) fail("a message nobody asked for");
  uint64_t time = now();
  const uint64_t *stamps = (mode == BROADCAST ? open_ones[0] : c)->stamps;
  if (counting) {
    for (uint64_t from = before; from < after;) {
      uint64_t to = from + 1, stamp = stamps[from % depth];
      while (to < after && stamps[to % depth] == stamp) to++;
      record(time - stamp, to - from);
      from = to;
    }
  }
  total += after - before;
  if (mode == BROADCAST) turn_broadcast();
  else if (running) grant(c, after - before, time);
}

/* The loop. */

static void turn(int millis) {
  static struct epoll_event events[EVENTS];
  if (mode == HANDSHAKE || mode == VISIT) {
    while (running && opening < depth && opened + opening < MOST_OPEN) start();
  } else while (opened + opening < connections && opening < OPENING) start();
  int n = epoll_wait(poller, events, EVENTS, millis);
  for (int i = 0; i < n; i++) {
    Connection *c = events[i].data.ptr;
    switch (c->state) {
      case CONNECTING: is_connected(c); break;
      case SECURING: secure(c); break;
      case OPENING_HEAD: read_answer(c); break;
      case OPEN:
        if (events[i].events & EPOLLOUT) flush(c);
        if (events[i].events & ~(uint32_t)EPOLLOUT) receive(c);
    }
  }
}

static bool quiet(void) {
  if (mode == HANDSHAKE || mode == VISIT) return opening == 0;
  for (unsigned i = 0; i < opened; i++) {
    if (open_ones[i]->done != open_ones[mode == BROADCAST ? 0 : i]->granted) return false;
  }
  return true;
}

/* Each visit leaves a port that can't be used again for a while. */
static uint64_t most_visits;

static void run_until(uint64_t time) {
  for (uint64_t t = now(); t < time; t = now()) {
    if (mode == HANDSHAKE && opened + opening >= MOST_OPEN && opening == 0) return;
    if (mode == VISIT && total >= most_visits) return;
    turn((int)((time - t) / 1000000) + 1);
  }
}

/* What the server still has to do for this load is not to be on the account of another. */
static void settle(void) {
  for (int i = 0; i < 40; i++) {
    uint64_t before = server_cpu();
    usleep(25000);
    if (server_cpu() - before < 500000) return;
  }
}

static void window(uint64_t millis) {
  running = true;
  most_visits = total + MOST_VISITS / 2;
  memset(histogram, 0, sizeof histogram);
  if (mode == ECHO) for (unsigned i = 0; i < opened; i++) grant(open_ones[i], depth, now());
  if (mode == BROADCAST) grant(open_ones[0], depth, now());
  run_until(now() + millis * 200000);
  uint64_t count_before = total, server_before = server_cpu(), own_before = clock_of(CLOCK_PROCESS_CPUTIME_ID), from = now();
  counting = true;
  most_visits = total + MOST_VISITS;
  run_until(from + millis * 1000000);
  uint64_t to = now(), own = clock_of(CLOCK_PROCESS_CPUTIME_ID) - own_before, used = server_cpu() - server_before;
  uint64_t seen = total - count_before;
  running = counting = false;
  for (uint64_t deadline = now() + 20000000000u; !quiet();) {
    if (now() > deadline) fail("not everything came back within 20 s");
    turn(100);
  }
  if (mode == HANDSHAKE) while (opened > 0) release(open_ones[--opened], true);
  settle();
  printf("{\"count\":%lu,\"seconds\":%.9f,\"server\":%.9f,\"own\":%.9f,\"latency\":[", seen, (double)(to - from) / 1e9,
         (double)used / 1e9, (double)own / 1e9);
  const char *comma = "";
  for (int i = 0; i < BUCKETS; i++) {
    if (histogram[i] == 0) continue;
    printf("%s[%d,%lu]", comma, i, histogram[i]);
    comma = ",";
  }
  printf("]}\n");
  fflush(stdout);
}

/* OpenSSL uses a session once, and marks it: so this and all others are copies. */
static int keep_session(SSL *ssl, SSL_SESSION *made) {
  (void)ssl;
  if (session == NULL) session = SSL_SESSION_dup(made);
  return 0;
}

static uint32_t number(const uint8_t **at) {
  uint32_t value;
  memcpy(&value, *at, 4);
  *at += 4;
  return value;
}

static uint8_t *bytes(const uint8_t **at, uint64_t size) {
  uint8_t *found = (uint8_t *)*at;
  *at += size;
  return found;
}

static void read_script(const char *name) {
  int file = open(name, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) fail("no script");
  uint8_t *all = malloc((size_t)status.st_size);
  for (off_t size = 0; size < status.st_size;) {
    ssize_t n = read(file, all + size, (size_t)(status.st_size - size));
    if (n <= 0) fail("no script");
    size += n;
  }
  close(file);
  const uint8_t *at = all;
  request_size = number(&at);
  request = bytes(&at, request_size);
  answer_size = number(&at);
  answer = bytes(&at, answer_size);
  count = number(&at);
  sent_at = calloc(count + 1, sizeof *sent_at);
  echoed_at = calloc(count + 1, sizeof *echoed_at);
  for (uint32_t i = 0; i < count; i++) {
    sent_at[i + 1] = sent_at[i] + number(&at);
    echoed_at[i + 1] = echoed_at[i] + number(&at);
  }
  sent = bytes(&at, sent_at[count]);
  echoed = bytes(&at, echoed_at[count]);
}

/* A session to resume comes with the first bytes behind a handshake: one connection waits for it. */
static void fetch_session(void) {
  enum mode wanted = mode;
  unsigned many = connections;
  mode = ECHO;
  connections = 1;
  while (opened == 0) turn(1000);
  for (uint64_t deadline = now() + 2000000000u; session == NULL && now() < deadline;) {
    turn(10);
    get(open_ones[0], buffer, READ);
  }
  if (session == NULL) fail("no TLS session to resume");
  release(open_ones[0], true);
  opened = 0;
  mode = wanted;
  connections = many;
}

int main(int argc, char **argv) {
  static const char *const modes[] = { "echo", "broadcast", "handshake", "visit" };
  if (argc < 7) fail("load MODE PORT PID CONNECTIONS DEPTH SCRIPT [tls] [takeover | no-takeover]");
  while (strcmp(modes[mode], argv[1]) != 0) if (++mode > VISIT) fail("no mode %s", argv[1]);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)atoi(argv[2]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server = atoi(argv[3]);
  connections = (unsigned)atoi(argv[4]);
  depth = (unsigned)atoi(argv[5]);
  read_script(argv[6]);

  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  open_ones = calloc(connections > MOST_OPEN ? connections : MOST_OPEN, sizeof *open_ones);
  poller = epoll_create1(0);
  bool secure = argc > 7 && strcmp(argv[7], "tls") == 0;
  inflates = argc > 7 && strstr(argv[argc - 1], "takeover") != NULL;
  takes_over = inflates && strcmp(argv[argc - 1], "takeover") == 0;
  if (secure) {
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (mode == HANDSHAKE || mode == VISIT) {
      SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
      SSL_CTX_sess_set_new_cb(tls, keep_session);
      fetch_session();
    }
  }
  if (mode == ECHO || mode == BROADCAST) while (opened < connections) turn(1000);

  printf("{}\n");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) window(strtoul(line, NULL, 10));
  return 0;
}
