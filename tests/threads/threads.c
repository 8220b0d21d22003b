/*
 * PHP in many threads of one process: each runs a script again and again, request after request, until the script has seen
 * the last generation.
 *
 *     threads EXTENSION SAPI THREADS SCRIPT STORE...
 *
 * Thread n's store is php.ini's flagstone.store for its requests alone: STORE number n modulo how many there are; of the
 * threads that have the same, every other one maps privately. With the SAPI "frankenphp" a thread stays in one request, as
 * that one's workers do, and activates the SAPI between scripts; the first STORE is every thread's.
 * The script is an expression: 0 go on; 1 done; anything else failed.
 */
#include <sapi/embed/php_embed.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int workers, stores;
static char **store;
static const char *script;
static int failed;

static void set(const char *directive, const char *value)
{
	zend_string *name = zend_string_init(directive, strlen(directive), 0);
	zend_alter_ini_entry_chars(name, value, strlen(value), PHP_INI_SYSTEM, PHP_INI_STAGE_ACTIVATE);
	zend_string_release(name);
}

static long run(void)
{
	zval result;
	long code = -1;
	zend_first_try {
		if (zend_eval_string(script, &result, "script") == SUCCESS) {
			code = Z_TYPE(result) == IS_LONG ? Z_LVAL(result) : -1;
			zval_ptr_dtor(&result);
		}
	} zend_end_try();
	return code;
}

static void *thread(void *number)
{
	const char *directory = store[(size_t)number % stores];
	long code = 0;
	ts_resource(0);
	ZEND_TSRMLS_CACHE_UPDATE();
	if (workers) {
		/* php.ini's directives of a worker are the server's. */
		php_request_startup();
	}
	while (code == 0) {
		if (workers) {
			sapi_deactivate();
			SG(server_context) = NULL;
			sapi_activate();
		} else {
			php_request_startup();
			set("flagstone.store", directory);
			set("flagstone.map", (size_t)number / stores % 2 ? "private" : "shared");
		}
		code = run();
		if (!workers) {
			php_request_shutdown(NULL);
		}
	}
	if (workers) {
		php_request_shutdown(NULL);
	}
	if (code != 1) {
		fprintf(stderr, "thread %zu failed\n", (size_t)number);
		__atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
	}
	ts_free_thread();
	return NULL;
}

int main(int argc, char **argv)
{
	char ini[4096];
	pthread_t threads[64];
	int count = argc > 5 ? atoi(argv[3]) : 0;
	if (count < 1 || count > 64) {
		fprintf(stderr, "threads EXTENSION SAPI THREADS SCRIPT STORE...\n");
		return 2;
	}
	workers = strcmp(argv[2], "frankenphp") == 0;
	script = argv[4];
	store = argv + 5;
	stores = argc - 5;
	snprintf(ini, sizeof ini, "extension=%s\nflagstone.map=shared\nhtml_errors=0\ndisplay_errors=1\nmax_execution_time=0\n%s%s\n",
	         argv[1], workers ? "flagstone.store=" : "", workers ? store[0] : "");

	php_tsrm_startup();
	zend_signal_startup();
	php_embed_module.name = argv[2];
	sapi_startup(&php_embed_module);
	php_embed_module.ini_entries = strdup(ini);
	if (php_embed_module.startup(&php_embed_module) == FAILURE) {
		return 2;
	}
	for (int number = 0; number < count; number++) {
		pthread_create(&threads[number], NULL, thread, (void *)(size_t)number);
	}
	for (int number = 0; number < count; number++) {
		pthread_join(threads[number], NULL);
	}
	/* What is still mapped is for the test to judge. */
	if (getenv("MAPS")) {
		char line[4096];
		FILE *maps = fopen("/proc/self/maps", "r"), *copy = fopen(getenv("MAPS"), "w");
		while (fgets(line, sizeof line, maps)) {
			fputs(line, copy);
		}
		fclose(maps);
		fclose(copy);
	}
	php_module_shutdown();
	sapi_shutdown();
	tsrm_shutdown();
	return failed;
}
