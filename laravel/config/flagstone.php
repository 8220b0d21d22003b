<?php

// A blank value, such as `FLAGSTONE_DRIVER=` in .env, is as if it were not there; an unknown word is an error that names the known ones.
return [

    /*
     * Who answers: "native" (the PHP extension), "store" (the same store, read in PHP) or "file" (flags.json, evaluated
     * in PHP and read again when it changes; for development). Null chooses: native where the extension is loaded, else
     * store where one was published, else file in the local environment; in the testing environment file, whatever
     * this machine has.
     */
    'driver' => env('FLAGSTONE_DRIVER'),

    /*
     * The directory that `flagstone init` made. php.ini's flagstone.store, where set, is final and wins.
     */
    'store' => env('FLAGSTONE_STORE') ?: storage_path('flagstone'),

    /*
     * The environment whose overlay of flags.json applies. A store knows its own; the file driver and `feature:publish`
     * take this one. Null means the application's.
     */
    'environment' => env('FLAGSTONE_ENVIRONMENT'),

    /*
     * The definitions, and the git-ignored changes a developer makes to them with `feature:enable` and its kin. In the testing
     * environment the second is not read.
     */
    'file' => base_path('flags.json'),
    'overlay' => base_path('flags.local.json'),

    /*
     * The `flagstone` command, for changes on a machine without the extension. Null looks for it on PATH.
     */
    'binary' => env('FLAGSTONE_BINARY'),

    /*
     * The companies that there are, to tell whom a change turns on and off before it is made: a model's class, whose keys are
     * meant, or a class with __invoke(), or [class, method], that returns ids. A change is asked about that takes a flag from more
     * than a fifth of those that have it (`flagstone config off_share`). Null leaves it to the store's config.
     */
    'companies' => null,

    'middleware' => [
        /*
         * The name that routes use: feature:customer_portal. An alias of that name which the application itself
         * registers stays as it is.
         */
        'alias' => 'feature',

        /*
         * Middleware that find out who the tenant is. Where a route has one of them, the flag is asked after it.
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
     * Which company is asking; of several, the first that answers:
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
     * The flags that pages may know about: Inertia's pages as `features`, others by Flagstone::shared(), which is JSON. No
     * other flag's name reaches a browser.
     */
    'share' => [],

    /*
     * A flag that does not exist: "throw" an exception that names the nearest one, or "log" it, once per flag and hour. A company that
     * cannot be determined, likewise: every flag is off.
     * An attribute that a flag reads and cannot compare, likewise: the exception names it and its type; the log does, once
     * per flag, attribute and minute. Null throws in the local and testing environments and logs elsewhere.
     */
    'unknown' => env('FLAGSTONE_UNKNOWN'),

    /*
     * Who is told of changes of flags, by `feature:notify`, which the scheduler runs every minute: mail's addresses; an
     * incoming webhook of Slack, by laravel/slack-notification-channel. "actions" are those worth telling, named as in
     * audit.jsonl: ['kill', 'revive', 'stop_all', 'resume_all']; null is all. The texts are views:
     * php artisan vendor:publish --tag=flagstone-notifications.
     */
    'notify' => [
        'mail' => ['to' => [], 'actions' => null],
        'slack' => ['url' => env('FLAGSTONE_SLACK_WEBHOOK'), 'actions' => null],
    ],

    /*
     * Paths of routes that tell monitoring how flags are answered, such as 'flagstone/health' (JSON) and 'flagstone/metrics'
     * (OpenMetrics text); null: no such route. They name flags, so there are none as long as nothing keeps others out: a token,
     * which monitoring sends as `Authorization: Bearer TOKEN`, or middleware, or both.
     */
    'routes' => [
        'health' => env('FLAGSTONE_HEALTH_PATH'),
        'metrics' => env('FLAGSTONE_METRICS_PATH'),
        'token' => env('FLAGSTONE_MONITORING_TOKEN'),
        'middleware' => [],
    ],

    /*
     * For Laravel Pennant's driver "flagstone": what a scope is, by class, or by "int" or "string":
     *
     *     App\Models\Company::class => 'company'            the scope is the company
     *     App\Models\User::class => 'user:company_id'      a user; that attribute names the company
     *     App\Models\Site::class => App\SiteScope::class   a class; its __invoke($site) returns a company or a Subject
     *
     * For any other scope a flag is off, and the log says so.
     */
    'pennant' => [
        'scopes' => [],

        /*
         * The store of config/pennant.php, such as 'database', that has the features that no flag defines: it answers for them and
         * takes their writes, so that one feature moves at a time. Null answers them by their definitions in code alone.
         */
        'fallback' => null,
    ],

];
