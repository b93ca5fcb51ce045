// Plays POP3 and IMAP transcripts: in process, whole and octet by octet, or against the programs.
//
//   pop3_transcripts FILE-OR-DIRECTORY...                           authd's and pop3d's sessions in this process
//   pop3_transcripts --imap FILE-OR-DIRECTORY...                    authd's and imapd's
//   pop3_transcripts --agents AGENT AUTHD FILE-OR-DIRECTORY...      pop3d or imapd, and authd, started for each transcript
//
// Exit: 0 all as written, 1 something else came, 64 usage. README.md has the format; `got:` lists ann's messages that are
// still there, "2s" for one that is marked as seen.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/transcripts/pop3_world.h"

namespace posthorn::test {
namespace {

std::vector<std::string> files_of(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    if (!std::filesystem::is_directory(name)) {
      files.push_back(name);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(name)) {
      if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// How they are played: by these programs, or by this process.
struct Manner {
  std::vector<std::string> programs;
  bool is_imap = false;
  Manner() = default;
};

std::string play_file(const std::string& file, const Pop3Site& site, const Manner& manner) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return "0: " + io_error("open", file).text();
  const auto transcript = parse_transcript(std::string(std::istreambuf_iterator<char>(in), {}));
  if (!transcript) return transcript.error();
  if (!manner.programs.empty())
    return play_with_agents(*transcript, site, manner.programs[0], manner.programs[1]);
  const auto play = manner.is_imap ? play_imap_in_process : play_pop3_in_process;
  std::string wrong = play(*transcript, site, false);
  if (!wrong.empty() || transcript->value("split") == "no") return wrong;
  wrong = play(*transcript, site, true);
  return wrong.empty() ? wrong : wrong + " (octet by octet)";
}

int run_all(const Manner& manner, const std::vector<std::string>& names) {
  const Pop3Site site;
  int failed = 0;
  int played = 0;
  for (const std::string& file : files_of(names)) {
    const std::string wrong = play_file(file, site, manner);
    ++played;
    if (wrong.empty()) continue;
    ++failed;
    fmt::print("{}:{}\n", file, wrong);
  }
  fmt::print("{} transcripts played, {} failed\n", played, failed);
  return failed == 0 && played > 0 ? 0 : 1;
}

}  // namespace
}  // namespace posthorn::test

int main(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  posthorn::test::Manner manner;
  if (names.size() > 3 && names[0] == "--agents") {
    manner.programs = {names[1], names[2]};
    names.erase(names.begin(), names.begin() + 3);
  } else if (names.size() > 1 && names[0] == "--imap") {
    manner.is_imap = true;
    names.erase(names.begin());
  }
  if (names.empty()) {
    fmt::print(stderr,
               "usage: pop3_transcripts [--imap | --agents AGENT AUTHD] FILE-OR-DIRECTORY...\n");
    return 64;
  }
  return posthorn::test::run_all(manner, names);
}
