/*
 * Starts PHP more than once in a process, as Apache does when it is asked for a graceful restart.
 *
 *     restart TIMES CODE
 */
#include <sapi/embed/php_embed.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
	if (count != 3) {
		return 64;
	}
	for (int start = 0; start < atoi(arguments[1]); start++) {
		if (php_embed_init(1, arguments) == FAILURE) {
			return 1;
		}
		zend_first_try {
			zend_eval_string(arguments[2], NULL, "restart");
		} zend_end_try();
		php_embed_shutdown();
	}
	return 0;
}
