#include "serving/api.h"

#include <charconv>

#include "base/ids.h"
#include "base/log.h"
#include "protocol/json_writer.h"
#include "protocol/v2_grpc.h"

namespace slipway::serving {
namespace {
constexpr std::string_view kVersion = "1";  // the one version that every model has
constexpr std::string_view kJson = "application/json";

struct Segment {
  std::string_view head, rest;  // "iris/infer" is head "iris", rest "infer"
};
Segment split(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Ids of requests that bring none: unique, not secret, so a generator in the process does (seeded once per thread by the
// kernel).
std::string requestId() {
  thread_local std::array<std::uint64_t, 2> state{randomU64() | 1, randomU64()};
  const auto next = [] {  // xorshift128+
    std::uint64_t a = state[0];
    const std::uint64_t b = state[1];
    state[0] = b;
    a ^= a << 23;
    state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return state[1] + b;
  };
  const std::uint64_t high = (next() & ~0xF000ULL) | 0x4000ULL;                        // version 4
  const std::uint64_t low = (next() & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL;  // RFC 4122 variant
  constexpr char kHex[] = "0123456789abcdef";
  std::string out(36, '-');
  std::size_t at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) ++at;
    const std::uint64_t half = nibble < 16 ? high : low;
    out[at++] = kHex[(half >> (60 - 4 * (nibble % 16))) & 15];
  }
  return out;
}
}  // namespace

struct Api::Call {
  const net::Request& request;
  std::string_view body;
  Readers& readers;
  net::Response& response;

  void json(int status, std::string text) {
    response.status = status;
    response.headers.set("Content-Type", std::string(kJson));
    response.body = std::move(text);
  }
  void error(int status, std::string_view message) { json(status, protocol::errorBody(message)); }
  void error(const Error& e) { error(httpStatus(e.code), e.message); }
  // True when the method is `method`; else answers 405.
  bool allow(std::string_view method) {
    if (request.method == method || (method == "GET" && request.method == "HEAD")) return true;
    error(405, fmt::format("{} does not take {}: use {}", request.rawPath(), request.method, method));
    response.headers.set("Allow", std::string(method));
    return false;
  }
  void unknownModel(std::string_view name) { error(404, fmt::format("Model with name {} does not exist.", name)); }
  void unknownPath() { error(404, fmt::format("{} is not a path of this server", request.rawPath())); }
};

Api::Api(ModelRepository& models, Metrics& metrics, const Clock& clock, bool logLatency)
    : models_(models), metrics_(metrics), clock_(clock), logLatency_(logLatency) {}

bool Api::blocks(const net::Request& request) { return request.rawPath().starts_with("/v2/repository/"); }

void Api::answer(const net::Request& request, std::string_view body, Readers& readers, net::Response& response) {
  response.status = 200;
  response.headers.clear();
  Call call{request, body, readers, response};
  try {
    route(call);
  } catch (
      const std::exception& e) {  // out of memory, a fault in a third-party engine: this request fails, the server goes on
    call.error(500, fmt::format("{} : {}", typeid(e) == typeid(std::bad_alloc) ? "OutOfMemory" : "Error", e.what()));
  }
}

void Api::route(Call& call) {
  std::string_view path = call.request.rawPath();
  std::string decoded;
  if (path.find('%') != std::string_view::npos) path = decoded = net::percentDecode(path);
  if (take(path, "/v2")) {
    if (path.empty() || path[0] == '/') return routeV2(call, path);
  } else if (take(path, "/v1/models")) {
    if (path.empty() || path[0] == '/') return routeV1(call, path);
  } else if (path == "/") {
    if (call.allow("GET")) call.json(200, R"({"status":"alive"})");
    return;
  } else if (path == "/metrics") {
    if (!call.allow("GET")) return;
    call.json(200, metrics_.text());
    call.response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return;
  }
  call.unknownPath();
}

void Api::routeV1(Call& call, std::string_view rest) {
  if (rest.empty() || rest == "/") {
    if (call.allow("GET")) call.json(200, modelList());
    return;
  }
  rest.remove_prefix(1);
  const std::size_t colon = rest.rfind(':');
  if (rest.find('/') != std::string_view::npos) return call.unknownPath();
  const std::string_view verb = colon == std::string_view::npos ? "" : rest.substr(colon);
  if (verb == ":predict") {
    if (call.allow("POST")) predictV1(call, rest.substr(0, colon));
  } else if (verb == ":explain") {
    if (call.allow("POST")) call.error(501, "explain is not implemented by this model");
  } else if (call.allow("GET")) {
    modelReady(call, rest);
  }
}

void Api::routeV2(Call& call, std::string_view rest) {
  if (take(rest, "/models/") && !rest.empty()) return routeV2Model(call, rest);
  if (take(rest, "/repository/")) return routeRepository(call, rest);
  if (!rest.empty() && rest != "/" && rest != "/models" && rest != "/health/live" && rest != "/health/ready")
    return call.unknownPath();
  if (!call.allow("GET")) return;
  if (rest == "/models") return call.json(200, modelList());
  if (rest == "/health/live") return call.json(200, R"({"live":true})");
  if (rest == "/health/ready") return call.json(ready() ? 200 : 503, ready() ? R"({"ready":true})" : R"({"ready":false})");
  call.json(200, R"({"name":"slipway","version":"0.1.0","extensions":["model_repository_extension","binary_tensor_data"]})");
}

void Api::routeV2Model(Call& call, std::string_view rest) {
  auto [name, action] = split(rest);
  if (take(action, "versions/")) {
    const auto [version, after] = split(action);
    if (version != kVersion) return call.error(501, "Model versioning not supported yet.");
    action = after;
  }
  if (action == "infer") {
    if (call.allow("POST")) predictV2(call, name);
  } else if (action == "ready") {
    if (call.allow("GET")) modelReady(call, name);
  } else if (action.empty()) {
    if (!call.allow("GET")) return;
    const auto model = models_.find(name);
    if (!model) return call.unknownModel(name);
    const ModelMetadata& m = model->metadata();
    call.json(200, protocol::modelMetadataBody(name, m.platform, m.inputs, m.outputs));
  } else {
    call.unknownPath();
  }
}

void Api::routeRepository(Call& call, std::string_view rest) {
  if (!call.allow("POST")) return;
  std::string out;
  if (rest == "index") {
    for (const auto& entry : models_.list()) {
      out += out.empty() ? "[{\"name\":" : ",{\"name\":";
      protocol::appendString(out, entry.name);
      out +=
          fmt::format(",\"version\":\"{}\",\"state\":\"{}\",\"reason\":", kVersion, entry.ready ? "READY" : "UNAVAILABLE");
      protocol::appendString(out, entry.reason);
      out += '}';
    }
    return call.json(200, out.empty() ? "[]" : out + "]");
  }
  if (!take(rest, "models/")) return call.unknownPath();
  const auto [name, action] = split(rest);
  if (action != "load" && action != "unload") return call.unknownPath();
  if (action == "load") {
    const auto loaded = models_.load(std::string(name));
    if (!loaded) {
      logWarn("model {} was not loaded: {}", name, loaded.error().message);
      return call.error(503, fmt::format("Model with name {} is not ready: {}", name, loaded.error().message));
    }
    logInfo("model {} loaded", name);
  } else {
    if (!models_.unload(std::string(name))) return call.unknownModel(name);
    logInfo("model {} unloaded", name);
  }
  out = "{\"name\":";
  protocol::appendString(out, name);
  call.json(200, fmt::format("{},\"{}\":true}}", out, action));
}

void Api::modelReady(Call& call, std::string_view name) {
  if (!models_.find(name)) return call.unknownModel(name);
  std::string out = "{\"name\":";
  protocol::appendString(out, name);
  call.json(ready() ? 200 : 503, out + (ready() ? ",\"ready\":true}" : ",\"ready\":false}"));
}

std::string Api::modelList() const {
  std::string out = "{\"models\":[";
  for (const auto& entry : models_.list()) {
    if (out.back() != '[') out += ',';
    protocol::appendString(out, entry.name);
  }
  return out + "]}";
}

bool Api::ready() const { return !draining_.load(std::memory_order_relaxed); }

namespace {
// Times the three steps of one prediction and counts its outcome.
class Stopwatch {
 public:
  Stopwatch(const Clock& clock, ModelMetrics& metrics, std::string_view model, bool log)
      : Stopwatch(clock, metrics, model, log, clock.now()) {}
  Stopwatch(const Clock& clock, ModelMetrics& metrics, std::string_view model, bool log, TimePoint began)
      : clock_(clock), metrics_(metrics), model_(model), log_(log), last_(began) {}
  double lap(Histogram& into) {
    const TimePoint now = clock_.now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    into.observe(seconds);
    laps_[count_ < 3 ? count_++ : 2] = seconds;
    return seconds;
  }
  void finish(int status) {
    auto& counter = status < 400 ? metrics_.ok : status < 500 ? metrics_.refused : metrics_.failed;
    counter.fetch_add(1, std::memory_order_relaxed);
    if (log_)
      logInfo("requestId: {} model: {} preprocess_ms: {:.3f}, explain_ms: 0, predict_ms: {:.3f}, postprocess_ms: {:.3f}",
              "-", model_, laps_[0] * 1e3, laps_[1] * 1e3, laps_[2] * 1e3);
  }

 private:
  const Clock& clock_;
  ModelMetrics& metrics_;
  std::string_view model_;
  bool log_;
  TimePoint last_;
  std::array<double, 3> laps_{};
  std::size_t count_ = 0;
};
}  // namespace

void Api::predictV1(Call& call, std::string_view name) {
  const auto model = models_.find(name);
  if (!model) return call.unknownModel(name);
  ModelMetrics& metrics = metrics_.of(name);
  Stopwatch watch(clock_, metrics, name, logLatency_);
  const auto input = call.readers.v1.read(call.body);
  watch.lap(metrics.preprocess);
  if (!input) {
    call.error(input.error());
    return watch.finish(call.response.status);
  }
  const auto outputs = model->infer({&*input, 1});
  watch.lap(metrics.predict);
  if (outputs) {
    std::string body;
    protocol::writeV1Response(body, *outputs);
    call.json(200, std::move(body));
  } else {
    call.error(outputs.error());
  }
  watch.lap(metrics.postprocess);
  watch.finish(call.response.status);
}

namespace {
Result<protocol::V2Request> readV2(const net::Request& request, std::string_view body, protocol::V2Reader& reader) {
  const auto header = request.headers.get("Inference-Header-Content-Length");
  if (!header) {
    if (request.headers.getOr("Content-Type", "").starts_with("application/octet-stream"))
      return fail(Code::BadRequest,
                  "a body of type application/octet-stream needs the header Inference-Header-Content-Length");
    return reader.readJson(body);
  }
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), length);
  if (error != std::errc() || end != header->data() + header->size())
    return fail(Code::BadRequest, fmt::format("Inference-Header-Content-Length '{}' is not a number of bytes", *header));
  return reader.readBinary(body, length);
}

Result<protocol::V2Written> inferV2(const Model& model, std::string_view name, const protocol::V2Request& request,
                                    Stopwatch& watch, ModelMetrics& metrics) {
  const auto outputs = model.infer(request.inputs);
  watch.lap(metrics.predict);
  if (!outputs) return fail(outputs.error());
  const std::string id = request.id.empty() ? requestId() : request.id;
  return protocol::writeV2Response({name, kVersion, id, *outputs}, request);
}
}  // namespace

void Api::predictV2(Call& call, std::string_view name) {
  const auto model = models_.find(name);
  if (!model) return call.unknownModel(name);
  ModelMetrics& metrics = metrics_.of(name);
  Stopwatch watch(clock_, metrics, name, logLatency_);
  const auto request = readV2(call.request, call.body, call.readers.v2);
  watch.lap(metrics.preprocess);
  if (!request) {
    call.error(request.error());
    return watch.finish(call.response.status);
  }
  auto written = inferV2(*model, name, *request, watch, metrics);
  if (written) {
    call.json(200, std::move(written->body));
    if (written->headerLength) {
      call.response.headers.set("Content-Type", "application/octet-stream");
      call.response.headers.set("Inference-Header-Content-Length", std::to_string(*written->headerLength));
    }
  } else {
    call.error(written.error());
  }
  watch.lap(metrics.postprocess);
  watch.finish(call.response.status);
}

Result<std::string> Api::inferGrpc(std::string_view message) {
  const TimePoint began = clock_.now();
  const auto call = protocol::readInferRequest(message);
  if (!call) return fail(call.error());  // which model it was for is not known: no row counts it
  const std::string_view name = call->model.name;
  if (!call->model.version.empty() && call->model.version != kVersion)
    return fail(Code::Unimplemented,
                fmt::format("model_version '{}': Model versioning not supported yet.", call->model.version));
  const auto model = models_.find(name);
  if (!model) return fail(Code::NotFound, fmt::format("Model with name {} does not exist.", name));
  ModelMetrics& metrics = metrics_.of(name);
  Stopwatch watch(clock_, metrics, name, logLatency_, began);
  watch.lap(metrics.preprocess);
  const auto outputs = model->infer(call->request.inputs);
  watch.lap(metrics.predict);
  const std::string id = call->request.id.empty() ? requestId() : call->request.id;
  auto written = outputs ? protocol::writeInferResponse({name, kVersion, id, *outputs}, *call)
                         : Result<std::string>(fail(outputs.error()));
  watch.lap(metrics.postprocess);
  watch.finish(written ? 200 : httpStatus(written.error().code));
  return written;
}

}  // namespace slipway::serving
