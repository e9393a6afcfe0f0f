// SPDX-License-Identifier: MIT
// `sluice check`: an archive looked over without a server.
#ifndef DAEMON_MAIN_ARCHIVE_H
#define DAEMON_MAIN_ARCHIVE_H

// The arguments behind `check`. Prints findings and their sum; what is being read only when stderr
// is a terminal. The status of the process: 0 all well, 1 something is left, 2 not done.
int main_archive_check(int argc, const char *const *argv);

#endif
