// Sessions: what happens in a running container besides its own program: `kubectl exec` and `kubectl attach`. The shim owns
// them, so that whatever they start is its child, counts for the container's limits and ends with the container at the
// latest. Used by the shim's loop, single-threaded.
//
// A session is a connection to FOLDER/session.sock. Its client sends the length of a request (4 bytes, this machine's
// order) together with three descriptors (input, output, errors: read, written, written here), then the request:
//   `exec` or `exec tty`, newline, each word of the command followed by a zero byte: runs it in the container; with tty all
//                         three descriptors are one terminal
//   `attach` or `attach stdin`, newline: takes part in the program's own streams
// It may send lines `resize COLUMNS ROWS` (attach to a terminal) and hears lines: `started`, `failed MESSAGE`, `exit CODE`.
// When the client closes the connection, what the session started is killed; what an exec leaves behind when it ends by
// itself stays, as in any container.
//
// An attached client that does not take output holds the program back, but for kPatience at most: then it is dropped.
#pragma once
#include <poll.h>

#include <chrono>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "node/runtime.h"
#include "node/shim/cgroup.h"
#include "node/shim/program.h"

namespace slipway::node {

inline constexpr const char* kSessionSocket = "session.sock";

class Sessions {
 public:
  Sessions(const Launch& launch, const Cgroup* cgroup);  // both outlive it
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // From here on clients can connect. Without a socket the container runs all the same; *note then says what is missing.
  void open(const Program& program, std::string* note);
  void addPolls(std::vector<pollfd>* fds) const;
  void handle(const std::vector<pollfd>& fds);
  int waitMillis() const;  // until the next look is due; -1: only when something happens
  // The program's output goes to those who are attached; only while wantsOutput().
  bool wantsOutput() const;
  void output(bool errors, std::string_view bytes);
  bool childEnded(int pid, int status);  // false: not one of ours
  void finish();                         // the container has ended: everyone hears the end

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Session;
  void accept();
  bool receive(Session& s);
  void readRequest(Session& s);
  bool begin(Session& s, const std::string& text);
  bool startProgramOf(Session& s, std::vector<std::string> argv, bool tty);
  void onLine(std::string_view line);
  void takeInput(Session& s);
  void giveInput();
  void giveOutput(Session& s);
  void inputEnded();
  void end(Session& s);

  const Launch& launch_;
  const Cgroup* cgroup_;
  Program program_;
  int listener_ = -1;
  std::list<Session> sessions_;
  std::string input_;         // for the program, not taken yet
  bool inputEnding_ = false;  // close the program's input once input_ is empty
};

}  // namespace slipway::node
