// The sessions under way, so that all of them can be told to end.
#pragma once

#include <set>

namespace posthorn::access {

template <class Session>
class Sessions {
 public:
  // A session is among them as long as this lives.
  class Entry {
   public:
    Entry(Sessions& sessions, Session& session) : sessions_(sessions), session_(session) {
      sessions_.under_way_.insert(&session_);
    }
    ~Entry() { sessions_.under_way_.erase(&session_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Sessions& sessions_;
    Session& session_;
  };

  [[nodiscard]] bool empty() const { return under_way_.empty(); }
  void end() {
    // Who is told may leave at once.
    for (Session* session : std::set<Session*>(under_way_)) session->end();
  }

 private:
  std::set<Session*> under_way_;
};

}  // namespace posthorn::access
