#include "agents/imapd/account_news.h"

#include <utility>

namespace posthorn::imapd {

AccountNews::Reader::Reader(AccountNews& news, Function<void()> wake)
    : news_(news), wake_(std::move(wake)) {
  news_.readers_.push_back(this);
}

AccountNews::Reader::~Reader() {
  std::erase(news_.readers_, this);
}

std::vector<AccountEvent> AccountNews::Reader::take() {
  return std::exchange(events_, {});
}

void AccountNews::tell(const AccountEvent& event, const Reader* teller) {
  for (Reader* reader : readers_) {
    if (reader == teller) continue;
    if (reader->events_.size() < Reader::most) {
      reader->events_.push_back(event);
    } else {
      reader->ran_over_ = true;
    }
    reader->wake_();
  }
}

}  // namespace posthorn::imapd
