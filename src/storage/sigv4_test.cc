// Vectors: "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.
#include "storage/sigv4.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "storage/settings.h"

namespace slipway::storage {
namespace {
std::string signatureOf(const std::string& path, const std::string& query, HeaderList headers) {
  WallTime time;
  EXPECT_TRUE(parseRfc3339("2013-05-24T00:00:00Z", &time));
  const auto out = signV4({"GET", "examplebucket.s3.amazonaws.com", path, query, std::move(headers)},
                          {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1"}, time);
  const std::string& value = out.back().second;
  return value.substr(value.rfind('=') + 1);
}

TEST(SigV4, MatchesThePublishedVectors) {
  EXPECT_EQ(signatureOf("/test.txt", "", {{"Range", "bytes=0-9"}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(signatureOf("/", canonicalQuery({{"lifecycle", ""}}), {}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signatureOf("/", canonicalQuery({{"prefix", "J"}, {"max-keys", "2"}}), {}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, EncodesAsS3Does) {
  EXPECT_EQ(encodeUri("a b/ü+~", true), "a%20b/%C3%BC%2B~");
  EXPECT_EQ(encodeUri("a/b", false), "a%2Fb");
  EXPECT_EQ(canonicalQuery({{"b", "2 3"}, {"a", "x/y"}}), "a=x%2Fy&b=2%203");
}

TEST(Settings, ReadsKServesVariables) {
  const auto s =
      Settings::fromEnvironment({{"S3_ENDPOINT", "minio:9000"},
                                 {"S3_USE_HTTPS", "0"},
                                 {"AWS_DEFAULT_REGION", "eu-central-1"},
                                 {"S3_VERIFY_SSL", "0"},
                                 {"STORAGE_CONFIG", R"({"type":"s3","access_key_id":"id","secret_access_key":"no"})"},
                                 {"STORAGE_OVERRIDE_CONFIG", R"({"secret_access_key":"yes"})"}});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->s3.endpoint, "http://minio:9000");
  EXPECT_FALSE(s->s3.virtualHosted);
  EXPECT_EQ(s->s3.accessKey + s->s3.secretKey, "idyes");
  EXPECT_FALSE(s->transfer.verifyTls);
  EXPECT_EQ(Settings::fromEnvironment({})->s3.endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_TRUE(Settings::fromEnvironment({})->s3.virtualHosted);
  EXPECT_EQ(Settings::fromEnvironment({{"S3_MAX_ATTEMPTS", "-1"}}).error().message,
            "S3_MAX_ATTEMPTS=-1: expected a whole number above 0");
}

TEST(Settings, DescribesBytesForPeople) {
  EXPECT_EQ(describeBytes(999), "999 B");
  EXPECT_EQ(describeBytes(1500), "1.5 kB");
  EXPECT_EQ(describeBytes(999'999), "1.0 MB");
}
}  // namespace
}  // namespace slipway::storage
