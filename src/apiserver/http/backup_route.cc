// GET /slipway/backup: a consistent copy of the store, for `slipway backup`. It holds every object, so only those who may do
// everything (or whom a role gives this path) get it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "apiserver/api_status.h"
#include "apiserver/http/api_handler.h"
#include "base/ids.h"

namespace slipway::apiserver {
namespace {

constexpr std::size_t kChunk = 256 << 10;

class FileBody final : public net::BodyReader {
 public:
  explicit FileBody(int fd) : fd_(fd) {}
  ~FileBody() override { ::close(fd_); }
  Task<Result<std::string>> read() override {
    std::string chunk(kChunk, '\0');
    const ssize_t got = ::read(fd_, chunk.data(), chunk.size());
    if (got < 0) co_return fail(Code::Internal, fmt::format("cannot read the copy of the store: {}", std::strerror(errno)));
    chunk.resize(static_cast<std::size_t>(got));
    co_return chunk;
  }

 private:
  int fd_;
};

}  // namespace

Task<Result<net::Response>> ApiHandler::backup(const Call& call) const {
  if (call.request.method != "GET") co_return methodNotAllowed(call.request.method);
  const std::string& store = registry_.store().path();
  const std::string place = store == ":memory:" ? (std::filesystem::temp_directory_path() / "slipway").string() : store;
  const std::string copy = fmt::format("{}.backup-{}", place, randomHex(4));
  struct Remove {  // the copy is read through its descriptor only
    const std::string& path;
    ~Remove() { ::unlink(path.c_str()); }
  } remove{copy};
  Status made = co_await registry_.store().backup(copy);
  if (!made) co_return fail(made.error());
  const int fd = ::open(copy.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    if (fd >= 0) ::close(fd);
    co_return fail(Code::Internal, fmt::format("cannot read {}: {}", copy, std::strerror(errno)));
  }
  net::Response response;
  response.headers.set("Content-Type", "application/vnd.sqlite3");
  response.body = net::Body(std::make_unique<FileBody>(fd), static_cast<std::uint64_t>(info.st_size));
  co_return response;
}

}  // namespace slipway::apiserver
