//! `scan`: every way to ask for a flag is found at its line, and what only looks like one is not.

use crate::shop::{Ran, Shop};

/// A directory with these files.
fn application<const N: usize>(files: [(&str, &str); N]) -> Shop {
    let shop = Shop::empty();
    for (name, text) in files {
        let path = shop.directory.join("app").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    shop
}

/// `file:line flag how` of each, and what cannot be told as `file:line ? text`.
fn found(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap().to_owned();
    let place = |value: &serde_json::Value| format!("{}:{}", text(value, "file"), value["line"]);
    let uses = json["found"].as_array().unwrap().iter();
    let uses = uses.map(|one| format!("{} {} {}", place(one), text(one, "flag"), text(one, "how")));
    let untold = json["cannot_tell"].as_array().unwrap().iter();
    let untold = untold.map(|one| format!("{} ? {}", place(one), text(one, "text")));
    uses.chain(untold).collect()
}

/// What is found in one file of PHP, each without the file's name.
#[track_caller]
fn finds(php: &str, expected: &[&str]) {
    let shop = application([("a.php", php)]);
    let ran = shop.run(["scan", "app", "--json"]).exits(0);
    assert_eq!(ran.json()["unparsed"], serde_json::json!([]), "{php}");
    let found: Vec<String> = found(&ran).iter().map(|line| line.replacen("a.php:", "", 1)).collect();
    assert_eq!(found, expected, "{php}");
}

#[test]
fn the_functions_are_found_however_they_are_called() {
    finds(
        "<?php\nnamespace App;\nuse function feature_variant as shown;\n\
         feature_enabled('a');\n\\FEATURE_Value(\"b\", 42);\nshown('c');\nfeature_possible(company: 5, flag: 'd');\n\
         if (!feature_needs(<<<X\n  e\n  X)) {}\nfeature_filter('f\\\\g', []);\nfeature_explain(($x) ? 'h' : 'i');\n\
         feature_enabled(match ($x) { 1 => 'j', default => 'k' });\nfeature_enabled('l' . '_' . 'm');",
        &[
            "4 a feature_enabled()",
            "5 b feature_value()",
            "6 c feature_variant()",
            "7 d feature_possible()",
            "8 e feature_needs()",
            "11 f\\g feature_filter()",
            "12 h feature_explain()",
            "12 i feature_explain()",
            "13 j feature_enabled()",
            "13 k feature_enabled()",
            "14 l_m feature_enabled()",
        ],
    );
}

#[test]
fn what_only_looks_like_a_question_is_not_found() {
    finds(
        "<?php\n// feature_enabled('a')\n/* feature_enabled('b'); */\n# feature_enabled('c')\n\
         $x = \"feature_enabled('d')\";\n$y = 'feature:e';\n$z = <<<'T'\nfeature_enabled('f')\nT;\n\
         Other\\feature_enabled('g');\n$o->feature_enabled('h');\nfunction feature_enabled_too() {}\n\
         Artisan::call('feature:enable', ['x']);\n$o->enabled('i');\nclass K { protected $signature = 'feature:list {--json}'; }\n\
         Cache::get('feature:' . $id);\n?>\nfeature_enabled('j') in text, as in <b>@flagstone('k')</b>\n",
        &[],
    );
}

#[test]
fn what_is_put_together_at_run_time_is_listed_as_that() {
    finds(
        "<?php\nfeature_enabled($flag);\nfeature_enabled(\"a_$b\");\nfeature_enabled('c' . $d);\nfeature_enabled(config('e'));\n\
         feature_enabled(Gone::CASE);\nRoute::middleware('feature:' . $f);\nfeature_enabled();\nfeature_enabled(...$g);\n\
         array_map(feature_enabled(...), $h);\nRoute::middleware(\"feature:$f\");",
        &[
            "2 ? $flag",
            "3 ? \"a_$b\"",
            "4 ? 'c' . $d",
            "5 ? config('e')",
            "6 ? Gone::CASE",
            "7 ? 'feature:' . $f",
            "9 ? ...$g",
            "11 ? \"feature:$f\"",
        ],
    );
}

#[test]
fn middleware_is_found_on_routes_controllers_and_in_attributes() {
    finds(
        "<?php\nuse Flagstone\\Laravel\\Http\\CheckFeatureFlag;\nuse App\\Http\\CheckFeatureFlag as Other;\n\
         Route::middleware(['auth', 'feature:a,b'])->get('/x', fn () => 1);\n\
         Route::get('/y')->middleware('feature:c|d');\n\
         Route::group(['prefix' => 'z', 'middleware' => ['feature:e']], fn () => 1);\n\
         class C extends Controller {\n  public function __construct() { $this->middleware('feature:f')->only('x'); }\n\
           public static function middleware(): array { return [new Middleware('feature:g')]; }\n\
           #[Middleware('feature:h')]\n  public function x() {}\n  protected $middlewareGroups = ['web' => ['feature:i']];\n}\n\
         Route::get('/u')->middleware(CheckFeatureFlag::using('j', 'k'));\nCheckFeatureFlag::usingAny('l');\nOther::using('m');\n\
         Route::middleware('can:feature,n');\nRoute::middleware('feature:' . 'o');\nRoute::middleware('throttle:60,1');\n\
         Route::middleware(CheckFeatureFlag::class . ':p');",
        &[
            "4 a middleware",
            "4 b middleware",
            "5 c middleware",
            "5 d middleware",
            "6 e middleware",
            "8 f middleware",
            "9 g middleware",
            "10 h middleware",
            "12 i middleware",
            "14 j CheckFeatureFlag::using()",
            "14 k CheckFeatureFlag::using()",
            "15 l CheckFeatureFlag::usingAny()",
            "17 n middleware",
            "18 o middleware",
            "20 p middleware",
        ],
    );
}

#[test]
fn the_facade_and_what_it_leads_to_are_found() {
    finds(
        "<?php\nnamespace App;\nuse Flagstone\\Laravel\\Facades\\Flagstone;\nuse Flagstone\\Laravel\\Facades\\{Flagstone as Flags};\n\
         Flagstone::enabled('a');\nFlags::variant(flag: 'b');\nFlagstone::for($c)->enabled('c');\nFlagstone::peek()->value('d');\n\
         \\Flagstone::possible('e');\nclass C {\n  public function __construct(private \\Flagstone\\Laravel\\Flagstone $flags) {}\n\
           public function x(?Flagstone $other) { $this->flags->enabled('f'); $other?->explain('g'); }\n}\n\
         $asks = Flagstone::for($c);\n$asks->enabled('h');\napp(Flagstone::class)->enabled('i');\napp('flagstone')->filter('j', []);\n\
         $company->features()->enabled('k');\nFlagstone::fake(['l' => true]);\nOther\\Flagstone::enabled('m');\n$rule->enabled('n');",
        &[
            "5 a Flagstone::enabled()",
            "6 b Flagstone::variant()",
            "7 c ->enabled()",
            "8 d ->value()",
            "9 e Flagstone::possible()",
            "12 f ->enabled()",
            "12 g ->explain()",
            "15 h ->enabled()",
            "16 i ->enabled()",
            "17 j ->filter()",
            "18 k ->enabled()",
        ],
    );
}

#[test]
fn pennant_models_jobs_rules_gates_and_the_scheduler_are_found() {
    finds(
        "<?php\nuse Flagstone\\Laravel\\Queue\\RequiresFeature;\nuse Flagstone\\Laravel\\Rules\\FeatureEnabled;\nuse Laravel\\Pennant\\Feature;\n\
         Feature::active('a');\nFeature::for($u)->inactive('b');\nFeature::allAreActive(['c', 'd']);\nFeature::when('e', fn () => 1);\n\
         $company->hasFeature('f');\n$company?->featureVariant('g');\nreturn [RequiresFeature::for('h', 'i')->company(5)];\n\
         $r = ['x' => [new FeatureEnabled('j')]];\n$request->validate(['x' => 'required|feature:k,l', 'y' => ['feature:m']]);\n\
         class R { public function rules() { return ['x' => 'feature:n']; } }\nGate::allows('feature', 'o');\n\
         $schedule->command('x')->daily()->feature('p');\nSchedule::job(new X())->featurePossible('q');\n$geo->feature('r');",
        &[
            "5 a Feature::active()",
            "6 b ->inactive()",
            "7 c Feature::allAreActive()",
            "7 d Feature::allAreActive()",
            "8 e Feature::when()",
            "9 f ->hasFeature()",
            "10 g ->featureVariant()",
            "11 h RequiresFeature::for()",
            "11 i RequiresFeature::for()",
            "12 j new FeatureEnabled",
            "13 k validation rule",
            "13 l validation rule",
            "13 m validation rule",
            "14 n validation rule",
            "15 o gate",
            "16 p ->feature()",
            "17 q ->featurePossible()",
        ],
    );
}

#[test]
fn enums_and_constants_stand_for_their_values_wherever_they_are_declared() {
    let shop = application([
        (
            "app/Http/C.php",
            "<?php\nnamespace App\\Http;\nuse App\\Enums\\Feature;\nuse App\\Enums\\Plain as P;\nuse App\\Keys;\n\
             feature_enabled(Feature::Portal->value);\nfeature_enabled(P::Search);\nfeature_enabled(Keys::EXPORT);\n\
             feature_enabled(Keys::LATER);\nfeature_enabled(\\App\\Features\\NewEditor::class);\nfeature_enabled(Feature::Portal->name);\n\
             feature_enabled(Keys::INHERITED);\nRoute::middleware('feature:' . Feature::Portal->value . ',x');\nfeature_enabled(Keys::MADE);\n\
             class C { const OWN = 'own'; function x() { return feature_enabled(self::OWN); } }\nfeature_enabled(Feature::Gone);",
        ),
        (
            "app/Enums/Feature.php",
            "<?php\nnamespace App\\Enums;\nenum Feature: string { case Portal = 'customer_portal'; }",
        ),
        (
            "app/Enums/Others.php",
            "<?php\nnamespace App\\Enums;\nenum Plain { case Search; }\nenum Feature2: string { case Portal = 'no'; }",
        ),
        (
            "app/Keys.php",
            "<?php\nnamespace App;\nuse App\\Deep\\Base;\nclass Keys extends Base {\n  const EXPORT = 'ex' . 'port';\n  const LATER = Base::X . '_2';\n  const MADE = PHP_OS . 'x';\n}",
        ),
        (
            "app/Deep/Base.php",
            "<?php\nnamespace App\\Deep;\nclass Base { public const X = 'base', INHERITED = 'inherited'; }",
        ),
    ]);
    let ran = shop.run(["scan", "app", "--json"]).exits(0);
    let found: Vec<String> = found(&ran).iter().map(|line| line.replacen("app/Http/C.php:", "", 1)).collect();
    assert_eq!(
        found,
        [
            "6 customer_portal feature_enabled()",
            "7 Search feature_enabled()",
            "8 export feature_enabled()",
            "9 base_2 feature_enabled()",
            "10 App\\Features\\NewEditor feature_enabled()",
            "11 Portal feature_enabled()",
            "12 inherited feature_enabled()",
            "13 customer_portal middleware",
            "13 x middleware",
            "15 own feature_enabled()",
            "14 ? App\\Keys::MADE",
            "16 ? App\\Enums\\Feature::Gone",
        ]
    );
}

#[test]
fn views_are_read_as_blade_reads_them() {
    let shop = application([
        (
            "resources/views/a.blade.php",
            "@use('App\\Enums\\Feature')\n@flagstone('a')\n  {{ feature_enabled('b') ? 1 : 2 }}\n@elseflagstone(\"c\")\n\
         {!! Flagstone::variant('d') !!}\n@endflagstone\n@if (auth()->check() && $company->hasFeature('e'))\n@endif\n\
         @feature(Feature::Portal)\n@endfeature\n@can('feature', 'f')\n@endcan\n@php\n  $x = feature_value('g');\n@endphp\n\
         <x-button :shown=\"feature_enabled('h')\" class=\"{{ feature_enabled('i') }}\" />\n{{-- @flagstone('no') --}}\n\
         @@flagstone('no') me@flagstone('no') @verbatim {{ feature_enabled('no') }} @endverbatim\n@unlessflagstone('j', $company)\n\
         @endflagstone\n@foreach (feature_filter('k', $all) as $one)\n@endforeach\n<?php feature_enabled('l'); ?>\n@flagstone($dynamic)\n\
         @{{ feature_enabled('no') }} <a :b=\"feature_enabled('no')\">\n@elseif(feature_enabled('m'))\n\
         @flagstonepeek('n') {{ feature_peek('o') }} @endflagstonepeek",
        ),
        (
            "app/Enums/Feature.php",
            "<?php\nnamespace App\\Enums;\nenum Feature: string { case Portal = 'portal'; }",
        ),
    ]);
    let ran = shop.run(["scan", "app", "--json"]).exits(0);
    let found: Vec<String> =
        found(&ran).iter().map(|line| line.replacen("resources/views/a.blade.php:", "", 1)).collect();
    assert_eq!(
        found,
        [
            "2 a @flagstone",
            "3 b feature_enabled()",
            "4 c @elseflagstone",
            "5 d Flagstone::variant()",
            "7 e ->hasFeature()",
            "9 portal @feature",
            "11 f gate",
            "14 g feature_value()",
            "16 h feature_enabled()",
            "16 i feature_enabled()",
            "19 j @unlessflagstone",
            "21 k feature_filter()",
            "23 l feature_enabled()",
            "26 m feature_enabled()",
            "27 n @flagstonepeek",
            "27 o feature_peek()",
            "24 ? $dynamic",
        ]
    );
}

#[test]
fn what_others_made_is_left_out_unless_asked_for() {
    let asks = "<?php feature_enabled('x');";
    let shop = application([
        ("app/a.php", asks),
        ("app/cache/b.php", asks),
        ("vendor/c.php", asks),
        ("node_modules/d.php", asks),
        ("storage/framework/views/e.php", asks),
        ("bootstrap/cache/f.php", asks),
        (".git/g.php", asks),
        ("readme.md", asks),
    ]);
    let files = |ran: Ran| {
        found(&ran).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(files(shop.run(["scan", "app", "--json"]).exits(0)), ["app/a.php", "app/cache/b.php"]);
    let all = files(shop.run(["scan", "app", "--all", "--json"]).exits(0));
    assert_eq!(all.len(), 7, "{all:?}");
    // What is named is read, whatever its name.
    assert_eq!(files(shop.run(["scan", "app/vendor", "--json"]).exits(0)), ["c.php"]);
}

#[test]
fn people_get_places_flags_and_a_sum() {
    let shop = application([(
        "a.php",
        "<?php\nfeature_enabled('x');\nfeature_enabled($y);\nfeature_enabled('\x1b[2J');",
    )]);
    let ran = shop.run(["scan", "app"]).exits(0);
    assert!(ran.out.contains("a.php:2  x"), "{}", ran.out);
    assert!(ran.out.contains("Cannot tell") && ran.out.contains("a.php:3  $y"), "{}", ran.out);
    assert!(ran.out.contains("2 flags at 2 places, 1 that cannot be told, in 1 file of PHP"), "{}", ran.out);
    assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
}

#[test]
fn a_file_that_is_no_php_is_named_and_the_rest_of_it_read() {
    let shop = application([
        ("a.php", "<?php\nfeature_enabled('x');\nfunction (((;\n"),
        ("b.php", "<?php feature_enabled('y');"),
    ]);
    let ran = shop.run(["scan", "app", "--json"]).exits(0);
    assert_eq!(ran.json()["unparsed"], serde_json::json!(["a.php:3"]));
    assert!(found(&ran).contains(&"b.php:1 y feature_enabled()".to_owned()));
    let ran = shop.run(["scan", "nowhere"]).exits(2);
    assert!(ran.err.contains("cannot read nowhere"), "{}", ran.err);
}
