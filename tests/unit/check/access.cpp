#include "lib/check/access.hpp"

#include "tests/catch.hpp"

namespace deployment {
namespace {

Access access_of_shop() {
  return {.remote = "origin",
          .url = "ssh://git@example.org:2222/shop.git",
          .checkout = "/srv/shop",
          .user = "shop",
          .home = "/home/shop",
          .host = "example.org",
          .port = "2222",
          .known_hosts = "/home/shop/.ssh/known_hosts",
          .new_key = "/home/shop/.ssh/id_ed25519"};
}

Explanation explained(std::string_view said,
                      const Access& access = access_of_shop()) {
  const auto explanation = explain(said, access);
  REQUIRE(explanation);
  return *explanation;
}

TEST_CASE("says where ssh goes") {
  using Case = std::tuple<const char*, const char*, const char*>;
  for (const auto& [url, host, port] :
       {Case{"git@example.org:shop.git", "git@example.org", nullptr},
        Case{"example.org:shop.git", "example.org", nullptr},
        Case{"ssh://git@example.org/shop.git", "git@example.org", nullptr},
        Case{"ssh://example.org:2222/shop.git", "example.org", "2222"},
        Case{"git+ssh://[::1]:22/shop.git", "[::1]", "22"},
        Case{"ssh://[::1]/shop.git", "[::1]", nullptr}}) {
    CAPTURE(url);
    const auto destination = destination_of(url);
    REQUIRE(destination);
    CHECK(destination->host == host);
    CHECK(destination->port ==
          (port ? std::optional<std::string>(port) : std::nullopt));
  }
  for (const char* url : {"https://example.org/shop.git", "file:///srv/shop",
                          "/srv/a:b", "./a:b", "../shop.git", "origin", ""}) {
    CAPTURE(url);
    CHECK_FALSE(destination_of(url));
  }
}

TEST_CASE("prints no password of an address") {
  using Case = std::pair<const char*, const char*>;
  for (const auto& [url, printed] :
       {Case{"https://me:secret@example.org/a.git",
             "https://example.org/a.git"},
        Case{"https://token@example.org", "https://example.org"},
        Case{"https://example.org/a@b.git", "https://example.org/a@b.git"},
        Case{"ssh://git@example.org/a.git", "ssh://git@example.org/a.git"},
        Case{"git@example.org:a.git", "git@example.org:a.git"}}) {
    CHECK(without_password(url) == printed);
  }
}

TEST_CASE("explains an unknown and a changed host key") {
  const Explanation unknown = explained(
      "No ED25519 host key is known for [example.org]:2222 and you "
      "have requested strict checking.\nHost key verification "
      "failed.\nfatal: Could not read from remote repository.");
  CHECK(unknown.what == "ssh does not know the key of [example.org]:2222");
  CHECK(unknown.remedy.ends_with(
      ": runuser -u shop -- sh -c 'mkdir -p -m 700 /home/shop/.ssh && "
      "ssh-keyscan -p 2222 example.org >> /home/shop/.ssh/known_hosts'"));
  const Explanation changed = explained(
      "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
      "Host key verification failed.");
  CHECK(changed.what ==
        "[example.org]:2222 has another key than the one that ssh knows");
  CHECK(changed.remedy.find("ssh-keygen -f /home/shop/.ssh/known_hosts -R ") !=
        std::string::npos);
}

TEST_CASE("explains a key that is not accepted") {
  const std::string denied =
      "git@example.org: Permission denied (publickey).\nfatal: Could not read";
  Access access = access_of_shop();
  CHECK(explained(denied, access).what ==
        "there is no key for [example.org]:2222");
  access.keys = {"/home/shop/.ssh/id_ed25519"};
  CHECK(explained(denied, access)
            .remedy.ends_with(
                ": runuser -u shop -- cat /home/shop/.ssh/id_ed25519.pub"));
  CHECK(explained("Permissions 0644 for '/home/shop/.ssh/id_ed25519' are too "
                  "open.\n" +
                      denied,
                  access)
            .remedy ==
        "close it: runuser -u shop -- chmod 600 /home/shop/.ssh/id_ed25519");
  // Whoever says it may mean any file: root must not give it away.
  CHECK(explained("Load key \"/etc/shadow\": Permission denied\n" + denied,
                  access)
            .remedy.ends_with(" to him: ls -l /etc/shadow"));
  access.locked_keys = access.keys;
  CHECK(explained(denied, access).what.find("has a passphrase") !=
        std::string::npos);
}

TEST_CASE("explains what else a remote may say") {
  using Case = std::pair<const char*, const char*>;
  for (const auto& [said, what] :
       {Case{"fatal: could not read Username for 'https://example.org': "
             "terminal prompts disabled",
             "wants a name and a password"},
        Case{"remote: Invalid\nfatal: Authentication failed for 'https://x/'",
             "wants a name and a password"},
        Case{"fatal: unable to access 'https://x/': server certificate "
             "verification failed. CAfile: none CRLfile: none",
             "is not trusted"},
        Case{"fatal: unable to access 'https://x/': Could not resolve host: x",
             "cannot be reached"},
        Case{"ssh: connect to host example.org port 22: Connection refused",
             "cannot be reached"},
        Case{"ERROR: Repository not found.\nfatal: Could not read from remote "
             "repository.",
             "there is no repository"},
        Case{"fatal: '/srv/x' does not appear to be a git repository",
             "there is no repository"},
        Case{"error: cannot run ssh: No such file or directory",
             "there is no ssh"}}) {
    CAPTURE(said);
    CHECK(explained(said).what.find(what) != std::string::npos);
    CHECK_FALSE(explained(said).remedy.empty());
  }
  CHECK_FALSE(explain("fatal: something else", access_of_shop()));
}

}  // namespace
}  // namespace deployment
