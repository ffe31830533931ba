// `slipway backup` and `slipway restore`.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "apiserver/backup.h"
#include "cmd/commands.h"
#include "cmd/data_dir.h"
#include "data/json.h"
#include "kube/kubeconfig.h"
#include "net/client.h"
#include "net/tls.h"

namespace slipway::cmd {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

struct BackupOptions {
  std::string file;
  std::string dataDir = "slipway-data";
  bool force = false;
};

Status writeAll(int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0) return fail(Code::Unavailable, std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  return {};
}

// The copy that the running server makes, into `to`.
Task<Status> download(kube::Kubeconfig config, std::string to) {
  auto executor = co_await asio::this_coro::executor;
  net::ClientOptions options;
  SLIP_CO_TRY(options.tls, net::TlsContext::client(config.caPem, nullptr));
  net::HttpClient client(executor, options);
  net::Request request;
  request.target = "/slipway/backup";
  request.headers.set("Authorization", "Bearer " + config.token);
  net::Origin origin;
  origin.host = config.host;
  origin.port = config.port;
  origin.tls = config.tls;
  auto sent = co_await client.send(origin, std::move(request));
  if (!sent) co_return failIn("the running server", sent.error());
  if (sent->status != 200) {
    auto body = co_await sent->body.readAll(64 << 10);
    const Json status = Json::parse(body.value_or(""), nullptr, false);
    co_return fail(codeFromHttp(sent->status),
                   "the running server: " + textAt(status, "message", "status " + std::to_string(sent->status)));
  }
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) co_return fail(Code::Unavailable, fmt::format("cannot write {}: {}", to, std::strerror(errno)));
  Status status;
  for (bool more = true; status && more;) {
    auto chunk = co_await sent->body.read();
    if (!chunk) status = failIn("the running server", chunk.error());
    more = chunk && !chunk->empty();
    if (more) status = writeAll(fd, *chunk);
  }
  if (status && ::fsync(fd) != 0) status = fail(Code::Unavailable, std::strerror(errno));
  ::close(fd);
  co_return status;
}

Status fromServer(const BackupOptions& options, const std::string& to) {
  auto config = kube::loadKubeconfig((fs::path(options.dataDir) / "kubeconfig").string());
  if (!config) return fail(config.error());
  Status result;
  asio::io_context io(1);
  asio::co_spawn(io, download(std::move(*config), to), [&](std::exception_ptr error, Status status) {
    result = error ? Status(fail(Code::Internal, "unexpected end")) : std::move(status);
    io.stop();
  });
  io.run();
  return result;
}

Status backup(const BackupOptions& options) {
  const std::string store = (fs::path(options.dataDir) / "state.db").string();
  std::error_code ec;
  if (!fs::exists(store, ec))
    return fail(Code::NotFound, fmt::format("no store in {}; choose the folder with --data-dir", options.dataDir));
  const std::string fresh = options.file + ".new";
  auto dir = DataDir::open(options.dataDir);
  if (!dir && dir.error().code != Code::AlreadyExists) return fail(dir.error());
  SLIP_CHECK(dir ? apiserver::copyStore(store, fresh) : fromServer(options, fresh));
  auto facts = apiserver::inspectStore(fresh);
  if (!facts) {
    fs::remove(fresh, ec);
    return failIn("the copy is not good", facts.error());
  }
  fs::rename(fresh, options.file, ec);
  if (ec) return fail(Code::Unavailable, fmt::format("cannot write {}: {}", options.file, ec.message()));
  std::printf("%s: %llu objects at revision %llu, %llu bytes, checked\n", options.file.c_str(),
              static_cast<unsigned long long>(facts->objects), static_cast<unsigned long long>(facts->revision),
              static_cast<unsigned long long>(facts->bytes));
  if (facts->sealed) std::printf("its Secrets are encrypted: keep the file of keys too\n");
  return {};
}

Status restore(const BackupOptions& options) {
  SLIP_TRY(const auto facts, apiserver::inspectStore(options.file));
  SLIP_TRY(const auto dir, DataDir::open(options.dataDir));
  const std::string store = (dir.path() / "state.db").string();
  std::error_code ec;
  const bool there = fs::exists(store, ec);
  if (there && !options.force) {
    return fail(Code::AlreadyExists,
                fmt::format("{} holds a store already; replace it with --force (it is kept as {}.before-restore)",
                            dir.path().string(), store));
  }
  SLIP_CHECK(apiserver::restoreStore(options.file, store));
  std::printf("%s: %llu objects of revision %llu restored%s\n", store.c_str(),
              static_cast<unsigned long long>(facts.objects), static_cast<unsigned long long>(facts.revision),
              there ? "; the store of before is kept as state.db.before-restore" : "");
  if (facts.sealed) std::printf("its Secrets are encrypted: start with --encryption-key-file\n");
  return {};
}

void addCommand(CLI::App& app, int* exitCode, const std::string& name, const std::string& help,
                Status (*work)(const BackupOptions&)) {
  auto options = std::make_shared<BackupOptions>();
  auto* sub = app.add_subcommand(name, help);
  sub->add_option("FILE", options->file, "The copy")->required();
  sub->add_option("--data-dir", options->dataDir, "The platform's folder")->capture_default_str();
  if (name == "restore") sub->add_flag("--force", options->force, "Replace the store that is there");
  sub->callback([options, exitCode, name, work] {
    const Status done = work(*options);
    *exitCode = done ? 0 : 1;
    if (!done) std::fprintf(stderr, "slipway %s: %s\n", name.c_str(), done.error().message.c_str());
  });
}

}  // namespace

void addBackupCommands(CLI::App& app, int* exitCode) {
  addCommand(app, exitCode, "backup", "Copy the store into a file, checked; the platform may run meanwhile", backup);
  addCommand(app, exitCode, "restore", "Make such a copy the store of a platform that does not run", restore);
}

}  // namespace slipway::cmd
