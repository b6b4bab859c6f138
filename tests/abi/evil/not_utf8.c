/* The summary is not UTF-8. */
#define SUMMARY {"\xff\xfe", 2}
#include "base.h"
