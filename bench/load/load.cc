// load: an open-loop HTTP/1.1 load generator for the benchmarks: sends at a fixed rate whether or not answers come, so that
// a stall shows in the latencies (no coordinated omission). Latency counts from the moment a request was due.
//
//   load HOST:PORT PATH HOST_HEADER BODY_FILE RATE SECONDS CONNECTIONS
//
// Prints one JSON line: sent, ok, errors, and p50, p90, p99, max in microseconds. Spins on its core: pin it away from the
// server.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  int fd = -1;
  bool busy = false;
  Clock::time_point due;
  std::string received;
};

struct Plan {
  sockaddr_in address{};
  std::string request;
  double rate = 0;
  double seconds = 0;
};

int connectTo(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

// True when `bytes` hold one whole response with a Content-Length.
bool complete(const std::string& bytes) {
  const auto head = bytes.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const char* length = strcasestr(bytes.c_str(), "content-length:");
  return length != nullptr && bytes.size() >= head + 4 + std::strtoul(length + 15, nullptr, 10);
}

class Load {
 public:
  Load(Plan plan, int connections) : plan_(std::move(plan)), connections_(connections), poll_(epoll_create1(0)) {
    for (std::size_t i = 0; i < connections_.size(); ++i) open(i);
  }

  void run() {
    const auto start = Clock::now();
    const auto interval = std::chrono::nanoseconds(static_cast<long>(1e9 / plan_.rate));
    const auto end = start + std::chrono::nanoseconds(static_cast<long>(plan_.seconds * 1e9));
    auto next = start;
    while (Clock::now() < end || (inFlight_ > 0 && Clock::now() < end + std::chrono::seconds(2))) {
      const auto now = Clock::now();
      for (; next <= now && next < end; next += interval) waiting_.push_back(next);
      while (!waiting_.empty() && !idle_.empty()) dispatch();
      receive();
    }
  }

  void print() {
    std::sort(latencies_.begin(), latencies_.end());
    auto at = [this](double q) {
      return latencies_.empty()
                 ? 0.0
                 : latencies_[std::min(latencies_.size() - 1, static_cast<std::size_t>(q * latencies_.size()))];
    };
    std::printf(
        "{\"sent\": %zu, \"ok\": %zu, \"errors\": %zu, \"unsent\": %zu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
        "\"max\": %.1f}\n",
        sent_, latencies_.size(), errors_, waiting_.size(), at(0.5), at(0.9), at(0.99), at(1.0));
  }

 private:
  void open(std::size_t i) {
    connections_[i] = Connection{connectTo(plan_.address), false, {}, {}};
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, connections_[i].fd, &event);
    idle_.push_back(i);
  }

  void dispatch() {
    Connection& c = connections_[idle_.front()];
    idle_.pop_front();
    c.due = waiting_.front();
    waiting_.pop_front();
    c.busy = true;
    c.received.clear();
    ++sent_;
    ++inFlight_;
    if (write(c.fd, plan_.request.data(), plan_.request.size()) != static_cast<ssize_t>(plan_.request.size())) ++errors_;
  }

  void receive() {
    epoll_event events[64];
    const int n = epoll_wait(poll_, events, 64, 0);
    for (int k = 0; k < n; ++k) {
      const std::size_t i = events[k].data.u64;
      Connection& c = connections_[i];
      char buffer[16384];
      const ssize_t got = read(c.fd, buffer, sizeof buffer);
      if (got <= 0) {
        ++errors_;
        if (c.busy)
          --inFlight_;
        else
          idle_.erase(std::find(idle_.begin(), idle_.end(), i));
        close(c.fd);
        open(i);
        continue;
      }
      c.received.append(buffer, static_cast<std::size_t>(got));
      if (!c.busy || !complete(c.received)) continue;
      if (c.received.compare(9, 3, "200") == 0)
        latencies_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - c.due).count());
      else
        ++errors_;
      c.busy = false;
      --inFlight_;
      idle_.push_back(i);
    }
  }

  Plan plan_;
  std::vector<Connection> connections_;
  int poll_;
  std::deque<std::size_t> idle_;
  std::deque<Clock::time_point> waiting_;
  std::vector<double> latencies_;
  std::size_t sent_ = 0;
  std::size_t errors_ = 0;
  std::size_t inFlight_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr, "usage: load HOST:PORT PATH HOST_HEADER BODY_FILE RATE SECONDS CONNECTIONS\n");
    return 2;
  }
  Plan plan;
  const std::string where = argv[1];
  const auto colon = where.rfind(':');
  plan.address.sin_family = AF_INET;
  plan.address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1)));
  if (inet_pton(AF_INET, where.substr(0, colon).c_str(), &plan.address.sin_addr) != 1) return 2;
  std::ifstream in(argv[4], std::ios::binary);
  const std::string body((std::istreambuf_iterator<char>(in)), {});
  plan.request = std::string("POST ") + argv[2] + " HTTP/1.1\r\nHost: " + argv[3] +
                 "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  plan.rate = std::atof(argv[5]);
  plan.seconds = std::atof(argv[6]);
  Load load(std::move(plan), std::atoi(argv[7]));
  load.run();
  load.print();
  return 0;
}
