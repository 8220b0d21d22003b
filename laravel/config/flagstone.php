<?php

// A blank value, such as `FLAGSTONE_DRIVER=` in .env, counts as absent, and a blank variable of the environment leaves it to .env; an
// unknown value is an error that lists the known ones, and so is true or false where a text belongs. Outside of the local and testing
// environments such a mistake is logged at the boot, named by feature:doctor, and an error only of what asks for a flag.
return [

    /*
     * The driver that answers: "native" (the PHP extension), "store" (the same store, read in PHP) or "file" (flags.json,
     * evaluated in PHP and read again when it changes; for development). Null chooses: native if the extension is loaded,
     * else store if one was published, else file in the local environment; in the testing environment always file, whatever
     * this machine has.
     */
    'driver' => env('FLAGSTONE_DRIVER'),

    /*
     * The directory that `flagstone init` made; a relative path starts at the application's root. php.ini's flagstone.store, if
     * set, is final and wins. Where two of php.ini, the environment and .env name different stores, artisan changes neither.
     */
    'store' => env('FLAGSTONE_STORE') ?? storage_path('flagstone'),

    /*
     * The environment whose part of flags.json applies where the file driver answers. A store knows its own, which
     * `feature:publish` uses; `feature:doctor` tells if it is another. Null means the application's, and a file
     * that names environments need not name "local" and "testing" then.
     */
    'environment' => env('FLAGSTONE_ENVIRONMENT'),

    /*
     * The definitions, and the git-ignored changes that a developer makes to them with `feature:enable` and similar commands.
     * The second file is not read in the testing environment.
     */
    'file' => base_path('flags.json'),
    'overlay' => base_path('flags.local.json'),

    /*
     * The absolute path of the `flagstone` command, which makes every change of a store. Null looks for it on PATH, and where
     * `make install` and packages put it.
     */
    'binary' => env('FLAGSTONE_BINARY'),

    /*
     * All companies: a model's class, whose keys are used, or a class with __invoke(), or [class, method], that returns ids.
     * Before a change is made, it shows which of them it turns on and off. A change that takes a flag from more than a fifth of
     * the companies that have it needs a confirmation (`flagstone config confirm_above`). Null leaves the list to the store's config.
     */
    'companies' => null,

    'middleware' => [
        /*
         * The middleware's name in routes: feature:customer_portal. An alias of that name that the application itself
         * registers stays as it is.
         */
        'alias' => 'feature',

        /*
         * Middleware that find the tenant. On a route that has one of them, the flag is asked after it.
         */
        'after' => [
            'Stancl\Tenancy\Middleware\InitializeTenancyByDomain',
            'Stancl\Tenancy\Middleware\InitializeTenancyBySubdomain',
            'Stancl\Tenancy\Middleware\InitializeTenancyByDomainOrSubdomain',
            'Stancl\Tenancy\Middleware\InitializeTenancyByPath',
            'Stancl\Tenancy\Middleware\InitializeTenancyByRequestData',
            'Spatie\Multitenancy\Http\Middleware\NeedsTenant',
            'Spatie\Multitenancy\Http\Middleware\EnsureValidTenantSession',
            'Filament\Http\Middleware\IdentifyTenant',
        ],
    ],

    /*
     * The source of the company that asks; of several, the first that answers. A blank, and a list of none, is user:company_id;
     * a source that can never answer leaves the company unknown, and every flag off:
     *
     *     user:company_id       that attribute of the signed-in user
     *     tenancy               stancl/tenancy's current tenant
     *     spatie                spatie/laravel-multitenancy's current tenant
     *     filament              the current panel's tenant
     *     route:company         that route parameter: the company's key, or the model bound to it
     *     header:X-Company      that request header; only behind a gateway that sets it
     *     App\Features\Subject  a class that implements Flagstone\Laravel\Contracts\SubjectResolver
     */
    'subject' => ['user:company_id'],

    /*
     * The flags whose answers pages may know: Inertia's pages as `features`, others by Flagstone::shared(), which is JSON. No
     * other flag's name reaches a browser.
     */
    'share' => [],

    /*
     * The reaction to a flag that does not exist: "throw" an exception that names the nearest one, or "log" it, once per flag
     * and hour. The same applies to a company that cannot be determined: every flag is off. It also applies to an attribute that
     * a flag reads and cannot compare: the exception names it and its type; the log does, once per flag, attribute and minute.
     * Null throws in the local and testing environments and logs elsewhere.
     */
    'unknown' => env('FLAGSTONE_UNKNOWN'),

    /*
     * Receivers of changes of flags. `feature:announce`, which the scheduler runs every minute, sends mails to addresses, and
     * messages to an incoming webhook of Slack by laravel/slack-notification-channel. "actions" limits the changes, with the
     * names of audit.jsonl: ['kill', 'revive', 'stop_all', 'resume_all']; null is all. The texts are views:
     * php artisan vendor:publish --tag=flagstone-notifications.
     */
    'notify' => [
        'mail' => ['to' => [], 'actions' => null],
        'slack' => ['url' => env('FLAGSTONE_SLACK_WEBHOOK'), 'actions' => null],
    ],

    /*
     * Paths of routes for monitoring, such as 'flagstone/health' (JSON) and 'flagstone/metrics' (OpenMetrics text); null: no
     * such route. They show names of flags, and so exist only if something keeps others out: a token, which monitoring sends as
     * `Authorization: Bearer TOKEN`, or middleware, or both.
     */
    'routes' => [
        'health' => env('FLAGSTONE_HEALTH_PATH'),
        'metrics' => env('FLAGSTONE_METRICS_PATH'),
        'token' => env('FLAGSTONE_MONITORING_TOKEN'),
        'middleware' => [],
    ],

    /*
     * For Laravel Pennant's driver "flagstone": the meaning of a scope, by class, or by "int" or "string":
     *
     *     App\Models\Company::class => 'company'            the scope is the company
     *     App\Models\User::class => 'user:company_id'      a user; that attribute names the company
     *     App\Models\Site::class => App\SiteScope::class   a class; its __invoke($site) returns a company or a Subject
     *
     * For any other scope a flag is off, and the log says so. A question without a scope is for the company that asks, as everywhere.
     */
    'pennant' => [
        'scopes' => [],

        /*
         * The store of config/pennant.php, such as 'database', for features that are not flags: it answers for them and takes their
         * writes, so that one feature moves at a time. Null answers them only by their definitions in code. While not every flag
         * is known, since the store cannot be read, they are off.
         */
        'fallback' => null,
    ],

];
