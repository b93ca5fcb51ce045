// A table that a server answers: socketmap or tcp_table. One connection that is kept; questions wait for each other.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/endpoint.h"
#include "libmail/async/event.h"
#include "libmail/async/stream.h"
#include "libmail/route/open_table.h"
#include "libmail/route/table.h"

namespace posthorn::route {

class ServerTable final : public Table {
 public:
  // `name` is of kind socketmap or tcp. `answer_time`: for one question, waiting and connecting included.
  ServerTable(TableName name, Duration answer_time = std::chrono::seconds(5));

  async::Task<TableAnswer> find(std::string key) override;
  // Ends the question that is being asked; later ones get an error.
  void close();

 private:
  async::Task<TableAnswer> ask(std::string request, async::Deadline deadline);
  async::Task<TableAnswer> ask_once(std::string request, async::Deadline deadline, bool& was_kept);
  [[nodiscard]] std::optional<TableAnswer> take_reply();
  [[nodiscard]] TableError error(const std::string& what) const;

  TableName name_;
  Duration answer_time_;
  async::Semaphore turn_{1};
  std::unique_ptr<async::Stream> stream_;
  async::Buffer input_;
  bool closed_ = false;
};

}  // namespace posthorn::route
