// Checks the whole message of an Error and its exit code.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/error.h"

namespace oneshot {

/// The message of the Error that `action` throws with this code; a failure when it does not.
template <class Action>
std::string error_message(ErrorCode code, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

template <class Action>
void expect_error(ErrorCode code, const std::string& message, Action&& action) {
  EXPECT_EQ(error_message(code, action), message);
}

}  // namespace oneshot
