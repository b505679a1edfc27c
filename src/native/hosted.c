/* The native half as an ordinary program, for a source checkout and for tests under sanitizers. */
#ifdef MEMLOGD_HOSTED
#include "front.h"
#include "system/text.h"

int main(int count, char **args, char **environment) {
  front(count, args, environment, NULL);
  struct process process = {args, count, environment, NULL, 0, 0, 0};
  int error = become_role(&process, args[0], args + 1);
  struct text text;
  text_start(&text, last_component(args[0]));
  text_add(&text, ": JavaScript could not be started (are MEMLOGD_NODE and MEMLOGD_BUNDLE set?): ");
  text_add(&text, error_text(error));
  text_print(&text, 2);
  return 1;
}
#else
typedef int not_hosted; /* ISO C wants something in every file. */
#endif
