--TEST--
attributes that are objects are what they stand for, or unknown
--FILE--
<?php
require __DIR__ . '/support.inc';

enum Plan: string { case Free = 'free'; case Pro = 'pro'; }
enum Level: int { case One = 1; }
enum Suit { case Hearts; }
class Text { function __construct(public string $text) {} function __toString() { return $this->text; } }
class Model { function __toString() { return '{"id":1}'; } function toArray() { return []; } }
class Asks {
    public $asked = [];
    function __construct(public $do) {}
    function __toString() { $this->asked[] = ($this->do)(); return 'pro'; }
}

$rule = fn ($when, $percentage = 0) => ['enabled' => true, 'rollout' => ['percentage' => $percentage], 'rules' => [['when' => $when]]];
$on = fn ($name, $value) => ['attribute' => $name, ...$value];
$store = store([
    'not_free' => $rule(['not' => $on('plan', ['eq' => 'free'])]),
    'by_plan' => $rule($on('plan', ['in' => ['pro']])),
    'by_level' => $rule($on('level', ['gte' => 1])),
    'by_trial' => $rule($on('trial', ['after' => '2026-12-01T08:00:00Z'])),
    'trial_text' => $rule($on('trial', ['eq' => '2026-12-01T08:00:00.000000Z'])),
    'by_seats' => $rule($on('seats', ['gt' => 10])),
    'there' => $rule($on('plan', ['exists' => true])),
    'gone' => $rule($on('plan', ['exists' => false])),
    'team' => ['enabled' => true, 'rollout' => ['percentage' => 99.999, 'by' => 'team'], 'variants' => ['a' => ['weight' => 50], 'b' => ['weight' => 50]]],
    'not_listed' => $rule($on('plan', ['not_in' => [1, 2, 'legacy']])),
    'plain' => true,
]);
flagstone_use($store);

// A rule that keeps free customers out let them in where the plan was an enum, an object or missing.
foreach ([[Plan::Free, false], ['free', false], [Plan::Pro, true], [new Text('free'), false], [new Text('pro'), true], [new Model(), false],
    [new stdClass, false], [['pro'], false], [Suit::Hearts, false], [fn () => 1, false], [NAN, false], [1, false], [null, false]] as [$plan, $expected]) {
    same('not_free for ' . get_debug_type($plan), $expected, feature_enabled('not_free', 15, ['plan' => $plan]));
    same('there for ' . get_debug_type($plan), is_string($plan) || is_int($plan) || $plan instanceof Plan || $plan instanceof Text, feature_enabled('there', 15, ['plan' => $plan]));
    same('gone for ' . get_debug_type($plan), $plan === null, feature_enabled('gone', 15, ['plan' => $plan]));
}
same('not_free without a plan', false, feature_enabled('not_free', 15));

same('enums', [true, true], [feature_enabled('by_plan', 1, ['plan' => Plan::Pro]), feature_enabled('by_level', 1, ['level' => Level::One])]);
$time = new DateTimeImmutable('2026-12-01T09:00:00+01:00');
$moved = new DateTime('2026-12-01T09:00:00.000001+01:00');
same('times', [true, false, true], [feature_enabled('trial_text', 1, ['trial' => $time]), feature_enabled('by_trial', 1, ['trial' => $time]), feature_enabled('by_trial', 1, ['trial' => $moved])]);
same('a decimal is a string', [false, true], [feature_enabled('by_seats', 1, ['seats' => '25.00']), feature_enabled('by_seats', 1, ['seats' => 25.0])]);
$text = feature_explain('team', 1, ['team' => 'pro']);
foreach ([Plan::Pro, new Text('pro')] as $team) {
    same('by', $text, feature_explain('team', 1, ['team' => $team]));
    same('variant', $text['variant'], feature_variant('team', 1, ['team' => $team]));
}
flagstone_override(['team' => true]);
same('a variant where a test told', $text['variant'], feature_variant('team', 1, ['team' => new Text('pro')]));
flagstone_override(null);

$explain = fn ($flag, $context) => array_intersect_key(feature_explain($flag, 1, $context), ['enabled' => 1, 'missing' => 1, 'unknown' => 1]);
$unknown = fn ($attribute, $type, $expected) => ['enabled' => false, 'missing' => [], 'unknown' => [['attribute' => $attribute, 'type' => $type, 'expected' => $expected]]];
same('a model', $unknown('plan', 'an object of Model', 'a string'), $explain('by_plan', ['plan' => new Model]));
same('a list', $unknown('plan', 'an array', 'a string'), $explain('not_free', ['plan' => ['pro']]));
same('a decimal', $unknown('seats', 'a string', 'a number'), $explain('by_seats', ['seats' => '25.00']));
// It held for a plan "1", though 1 and 2 do not compare with it.
same('a list that mixes kinds', $unknown('plan', 'a string', 'a value of the list, which mixes kinds'), $explain('not_listed', ['plan' => '1']));
same('a float to roll out by', $unknown('team', 'a float', 'an int or a string'), $explain('team', ['team' => 7.0]));
same('an enum of another type', $unknown('level', 'an object of Plan', 'a number'), $explain('by_level', ['level' => Plan::Pro]));
same('missing', ['enabled' => false, 'missing' => ['plan'], 'unknown' => []], $explain('by_plan', ['plan' => null]));
same('compared', ['enabled' => true, 'missing' => [], 'unknown' => []], $explain('by_plan', ['plan' => Plan::Pro]));

// What runs while a text is asked for may do anything.
$asks = new Asks(fn () => [feature_enabled('by_plan', 1, ['plan' => 'pro']), feature_all(1, ['plan' => new Text('free')])['not_free']]);
same('a text that asks', true, feature_enabled('by_plan', 1, ['plan' => $asks]));
same('what it was told', [[true, false]], $asks->asked);
$moves = new Asks(function () use ($store) { flagstone_use($store); flagstone_refresh(); gc_collect_cycles(); });
same('a text that moves the process', [true, [1, 2], true], [feature_enabled('by_plan', 1, ['plan' => $moves]), feature_filter('by_plan', [1, 2], ['plan' => $moves]), feature_all(1, ['plan' => $moves])['by_plan']]);
$publishes = new Asks(function () use ($store) { flagstone('disable', 'by_plan', '--reason', 'test', '--yes', '--store', $store); flagstone_refresh(); });
same('a text that publishes', [false, 'disabled'], [feature_enabled('by_plan', 1, ['plan' => $publishes]), feature_explain('by_plan', 1, ['plan' => 'pro'])['reason']]);
$reference = new Asks(function () use (&$reference) { $reference = 1; });
same('a text that goes', true, feature_enabled('not_free', 1, ['plan' => &$reference]));
same('its variable', 1, $reference);
$kept = $value = new Text('pro');
same('a reference', true, feature_enabled('not_free', 1, ['plan' => &$value]));
same('stays', true, $value === $kept);
$throws = new Asks(fn () => throw new LogicException('no'));
same('a text that throws', [false, false, [], $unknown('plan', 'an object of Asks', 'a string')],
    [feature_enabled('not_free', 1, ['plan' => $throws]), feature_enabled('gone', 1, ['plan' => $throws]), feature_filter('not_free', [1], ['plan' => $throws]), $explain('not_free', ['plan' => $throws])]);
same('unread', true, feature_enabled('plain', 1, ['plan' => $throws]));
$before = count($throws->asked);
for ($i = 0; $i < 3; $i++) {
    $memory = memory_get_usage();
    for ($n = 0; $n < 1000; $n++) {
        feature_enabled('not_free', 1, ['plan' => new Text("pro$n")]);
        feature_explain('by_trial', 1, ['trial' => new DateTime, 'plan' => $throws]);
    }
}
same('no memory is kept', 0, memory_get_usage() - $memory);
feature_enabled('not_free', 1, ['plan' => new Asks(function () { echo "exit is an end\n"; exit; })]);
echo "not reached\n";
--EXPECT--
exit is an end
