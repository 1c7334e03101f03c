// The configuration file.
#include "lib/model/settings.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

namespace {

bool stays_inside(const std::filesystem::path& path) {
  return path.is_relative() && *path.lexically_normal().begin() != "..";
}

bool is_no_option(const std::string& name) {
  return !name.empty() && name.front() != '-' &&
         name.find_first_of(std::string_view("\n\0 ", 3)) == std::string::npos;
}

bool is_variable_name(const std::string& name) {
  return !name.empty() && (name.front() < '0' || name.front() > '9') &&
         name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
             "abcdefghijklmnopqrstuvwxyz") == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  Config config;
  try {
    apply_config_file(config, text_of(data, size), "a.conf");
  } catch (const UsageError& error) {
    REQUIRE(is_harmless_line(error.what()));
    REQUIRE(std::string_view(error.what()).starts_with("a.conf"));
    return 0;
  }
  REQUIRE(is_no_option(config.remote));
  REQUIRE(is_branch_name(config.branch));
  REQUIRE(is_no_option(config.branch));
  REQUIRE(config.repo_dir.is_absolute());
  REQUIRE(!config.state_dir || config.state_dir->is_absolute());
  REQUIRE(config.git_timeout.count() > 0);
  REQUIRE(config.install_timeout.count() > 0);
  REQUIRE(config.systemctl_timeout.count() > 0);
  REQUIRE(config.settle.count() >= 0);
  for (const std::string& name : config.pass_environment) {
    REQUIRE(is_variable_name(name));
  }
  for (const std::string& pattern : config.copy) {
    REQUIRE(stays_inside(pattern));
  }
  REQUIRE(!config.components.empty());
  for (const Component& component : config.components) {
    REQUIRE(is_no_option(component.name));
    REQUIRE(component.name.find('/') == std::string::npos);
    for (const std::string& service : component.services) {
      REQUIRE(is_no_option(service));
      REQUIRE(service.ends_with(".service"));
    }
    REQUIRE(stays_inside(component.directory));
    REQUIRE(!component.manifests.empty());
    for (const auto& manifest : component.manifests) {
      REQUIRE(stays_inside(component.directory / manifest));
    }
    REQUIRE(!component.health_check ||
            component.health_check->starts_with("http://") ||
            component.health_check->starts_with("https://"));
    REQUIRE(!component.health_status.empty());
    REQUIRE(parse_status_ranges(to_string(component.health_status)) ==
            component.health_status);
    REQUIRE(!component.health_timeout || component.health_timeout->count() > 0);
  }
  return 0;
}
