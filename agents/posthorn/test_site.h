// For the tests of this folder: a site in a temporary directory, and an agent made of a few lines of Python.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agents/posthorn/programs.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

class TestSite {
 public:
  TestSite() {
    for (const char* name : {"conf", "run", "log"})
      std::filesystem::create_directories(dir_ / name);
  }
  ~TestSite() { std::filesystem::remove_all(dir_); }
  TestSite(const TestSite&) = delete;
  TestSite& operator=(const TestSite&) = delete;

  [[nodiscard]] service::Site site() const { return service::Site::find(dir_.string()); }
  [[nodiscard]] std::string path(const std::string& name) const { return (dir_ / name).string(); }
  void write(const std::string& name, const std::string& text, mode_t mode = 0640) const {
    std::ofstream(dir_ / name) << text;
    ::chmod((dir_ / name).c_str(), mode);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(dir_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // An agent `name` that listens on run/NAME.sock and answers each client with its pid. `before` is Python that it runs first.
  [[nodiscard]] AgentProgram agent(const std::string& name, const std::string& before = {}) const {
    write(name,
          "#!/usr/bin/python3 -IS\nimport os, socket, sys, time, signal\n"
          "if '--print-listeners' in sys.argv:\n"
          "    print('listen\\tunix:" +
              path("run/" + name + ".sock") +
              "\\t0600\\t\\t\\tstream')\n"
              "    print('ops\\tunix:" +
              path("run/" + name + ".ops") +
              "\\t0600\\t\\t\\tstream')\n"
              "    sys.exit(0)\n" +
              before +
              "\n"
              "assert os.environ['LISTEN_FDS'] == '2' and os.environ['LISTEN_FDNAMES'] == "
              "'listen:ops'\n"
              "def ready():\n"
              "    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
              "    s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
              "ready()\n"
              "listener = socket.socket(fileno=3)\n"
              "listener.setblocking(True)\n"
              "while True:\n"
              "    client, _ = listener.accept()\n"
              "    client.sendall(str(os.getpid()).encode())\n"
              "    client.close()\n",
          0755);
    AgentProgram program;
    program.name = name;
    program.argv = {path(name)};
    program.is_ours = true;
    return program;
  }

 private:
  std::filesystem::path dir_ =
      std::filesystem::temp_directory_path() / ("posthorn-" + hex(random_octets(6)));
};

}  // namespace posthorn::operate
