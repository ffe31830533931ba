#include <CLI/CLI.hpp>

#include "cmd/commands.h"
#include "storage/fetch.h"

namespace slipway::cmd {

void addStorageInitCommand(CLI::App& app, int* exitCode) {
  auto pairs = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("storage-init", "Fetch models: s3, gs, hf, http(s), file or a path, into folders");
  command->add_option("SOURCE FOLDER", *pairs, "Pairs of a URI and the folder it is put into")->required();
  command->footer(
      "Settings come from the environment, with KServe's names: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
      "AWS_SESSION_TOKEN, AWS_ENDPOINT_URL or\n"
      "S3_ENDPOINT, S3_USE_HTTPS, S3_VERIFY_SSL, AWS_CA_BUNDLE, AWS_DEFAULT_REGION, S3_USER_VIRTUAL_BUCKET, "
      "awsAnonymousCredential,\n"
      "S3_MAX_FILE_CONCURRENCY, S3_MAX_ATTEMPTS, HF_TOKEN, STORAGE_ALLOW_PATTERNS, STORAGE_IGNORE_PATTERNS, "
      "STORAGE_INITIALIZER_TIMEOUT (seconds), SLIPWAY_STORAGE_CACHE.");
  command->callback([pairs, exitCode] { *exitCode = storage::storageInit(*pairs, storage::processEnvironment()); });
}

}  // namespace slipway::cmd
