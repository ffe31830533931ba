#include "storage/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include "storage/testing/folder.h"

namespace slipway::storage {
namespace {
using testing::Folder;
using testing::listFiles;
using testing::readFile;

struct Entry {
  std::string path;
  std::string content;
  unsigned type = AE_IFREG;
  std::string link;  // target of a symbolic link
  std::string hardLink;
};

std::string pack(const std::vector<Entry>& entries, bool zip = false) {
  std::size_t room = 1 << 20;
  for (const auto& e : entries) room += e.content.size();
  std::string out(room, '\0');
  std::size_t used = 0;
  struct archive* a = archive_write_new();
  if (zip) {
    archive_write_set_format_zip(a);
  } else {
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_gzip(a);
  }
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.path.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, static_cast<la_int64_t>(e.content.size()));
    if (!e.link.empty()) archive_entry_set_symlink(entry, e.link.c_str());
    if (!e.hardLink.empty()) archive_entry_set_hardlink(entry, e.hardLink.c_str());
    archive_write_header(a, entry);
    archive_write_data(a, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

class ArchiveTest : public ::testing::Test {
 protected:
  std::string unpack(const std::vector<Entry>& entries, bool zip = false, ArchiveLimits limits = {}) {
    const auto done = unpackBytes(pack(entries, zip), "m.tgz", inside, limits);
    EXPECT_EQ(listFiles(outer).find("evil"), std::string::npos) << listFiles(outer);
    return done ? "ok" : done.error().message;
  }
  Folder outer;
  std::filesystem::path inside = [this] {
    std::filesystem::create_directories(outer / "in");
    return outer / "in";
  }();
};

// As after a kill half way: the second try finds what the first one made.
TEST_F(ArchiveTest, UnpacksOverAnUnfinishedTry) {
  const std::vector<Entry> entries{{"a", "content"},
                                   {"soft", "", AE_IFLNK, "a"},
                                   {"hard", "", AE_IFREG, "", "a"},
                                   {"deep/", "", AE_IFDIR},
                                   {"deep/b", "b"}};
  EXPECT_EQ(unpack(entries), "ok");
  std::filesystem::remove(inside / "deep/b");
  EXPECT_EQ(unpack(entries), "ok");
  EXPECT_EQ(readFile(inside / "hard"), "content");
  EXPECT_EQ(readFile(inside / "soft"), "content");
  EXPECT_EQ(readFile(inside / "deep/b"), "b");
}

TEST_F(ArchiveTest, UnpacksTarAndZip) {
  EXPECT_EQ(unpack({{"model/", "", AE_IFDIR},
                    {"./model/a.pkl", "A"},
                    {"deep/er/b", "B"},
                    {"model/latest", "", AE_IFLNK, "../deep/er/b"}}),
            "ok");
  EXPECT_EQ(listFiles(inside), "deep/er/b model/a.pkl model/latest");
  EXPECT_EQ(readFile(inside / "model/latest"), "B");
  EXPECT_EQ(unpack({{"z/a", "Z"}}, true), "ok");
  EXPECT_EQ(readFile(inside / "z/a"), "Z");
}

TEST_F(ArchiveTest, RefusesWhatWouldLeaveTheFolder) {
  EXPECT_NE(unpack({{"../evil", "x"}}).find("leaves the target folder"), std::string::npos);
  EXPECT_NE(unpack({{"a/../../evil", "x"}}).find("leaves the target folder"), std::string::npos);
  EXPECT_NE(unpack({{"/tmp/evil-slipway", "x"}}).find("it is absolute"), std::string::npos);
  EXPECT_NE(unpack({{"l", "", AE_IFLNK, "/etc"}}).find("leads out"), std::string::npos);
  EXPECT_NE(unpack({{"l", "", AE_IFLNK, "../x"}}).find("leads out"), std::string::npos);
  EXPECT_NE(unpack({{"d/l", "", AE_IFLNK, "../../x"}}).find("leads out"), std::string::npos);
  EXPECT_NE(unpack({{"d/l", "", AE_IFLNK, "s/../.."}}).find("leads out"), std::string::npos);
  EXPECT_NE(unpack({{"../evil", "x"}}, true).find("leaves the target folder"), std::string::npos);
}

TEST_F(ArchiveTest, WritesThroughNoLink) {
  EXPECT_NE(unpack({{"real/x", "x"}, {"l", "", AE_IFLNK, "real"}, {"l/y", "x"}}).find("through a link"), std::string::npos);
  EXPECT_EQ(unpack({{"f", "1"}, {"f", "2"}}), "ok");
  EXPECT_EQ(readFile(inside / "f"), "2");
}

TEST_F(ArchiveTest, LinksOnlyToFilesBeforeThem) {
  EXPECT_EQ(unpack({{"a", "1"}, {"b", "", AE_IFREG, "", "a"}}), "ok");
  EXPECT_EQ(readFile(inside / "b"), "1");
  EXPECT_NE(unpack({{"c", "", AE_IFREG, "", "/etc/passwd"}}).find("leads out"), std::string::npos);
  EXPECT_NE(unpack({{"x/y/l", "", AE_IFLNK, "../../a"}, {"m", "", AE_IFREG, "", "x/y/l"}}).find("not a file before it"),
            std::string::npos);
}

TEST_F(ArchiveTest, RefusesDevicesAndEmptyAndDamagedArchives) {
  EXPECT_NE(unpack({{"p", "", AE_IFIFO}}).find("device, socket or pipe"), std::string::npos);
  EXPECT_NE(unpack({{"d/", "", AE_IFDIR}}).find("holds no files"), std::string::npos);
  EXPECT_NE(unpackBytes("this is not an archive", "m.zip", inside, {}).error().message.find("archive m.zip: damaged"),
            std::string::npos);
  const std::string whole = pack({{"a", std::string(100'000, 'x') + "tail"}});
  EXPECT_FALSE(unpackBytes(whole.substr(0, whole.size() / 2), "m.tgz", inside, {}));
}

TEST_F(ArchiveTest, BoundsSizeRatioAndCount) {
  ArchiveLimits limits;
  limits.bytes = 1000;
  EXPECT_NE(unpack({{"a", std::string(2000, 'x')}}, false, limits).find("STORAGE_MAX_UNPACKED_BYTES"), std::string::npos);
  limits = {};
  limits.entries = 2;
  EXPECT_NE(unpack({{"a", "1"}, {"b", "1"}, {"c", "1"}}, false, limits).find("more than 2 entries"), std::string::npos);
  EXPECT_NE(unpack({{"bomb", std::string(100 << 20, '\0')}}).find("STORAGE_MAX_UNPACK_RATIO"), std::string::npos);
}

TEST(Archive, IsKnownByItsName) {
  EXPECT_TRUE(isArchive("m.tar.gz"));
  EXPECT_TRUE(isArchive("m.zip"));
  EXPECT_FALSE(isArchive("model.joblib"));
  EXPECT_FALSE(isArchive("m.gz"));
}
}  // namespace
}  // namespace slipway::storage
