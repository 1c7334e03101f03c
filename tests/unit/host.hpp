// A host for tests of deployments.
#pragma once

#include <filesystem>
#include <string>

#include "lib/deploy/host.hpp"
#include "lib/model/record.hpp"
#include "tests/unit/support.hpp"

namespace deployment {

// The parts of the application on it.
inline const Component web = {.name = "web",
                              .type = Component::Type::npm,
                              .directory = "web",
                              .manifests = {"package.json"},
                              .services = {"web.service"}};
inline const Component api = {.name = "api",
                              .type = Component::Type::python,
                              .directory = "api",
                              .manifests = {"requirements.txt"},
                              .services = {"api.service"}};

// A temporary folder with a checkout, which has .git and no file, and a place
// for the record. Its commands are answered by the test: at first `a` is
// checked out, on the branch, and is the remote's tip.
class FakeHost {
 public:
  FakeHost();

  const std::filesystem::path& checkout() const { return config.repo_dir; }

  // Answers for the remote's tip, of which the checkout has the objects.
  void push(char tip);

  // Makes the folders of the environments.
  void install() const;

  // Writes and reads the record on disk.
  void save(const Record& record) const;
  Record saved() const;

  Folder folder;
  Config config;
  TextLog log;
  FakeRunner runner;
  Host host;
};

}  // namespace deployment
