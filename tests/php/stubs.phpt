--TEST--
the stub says what reflection shows
--FILE--
<?php
require __DIR__ . '/support.inc';

$stub = file_get_contents(dirname(__DIR__, 2) . '/php-stubs/flagstone.stub.php');
eval('namespace Stub;' . substr($stub, strlen('<?php')));
$signature = fn (ReflectionFunction $function) => str_replace('NULL', 'null', implode(', ', array_map(
    fn ($parameter) => preg_replace('/^Parameter #\d+ \[ (.*) \]$/', '$1', (string) $parameter),
    $function->getParameters(),
))) . ': ' . $function->getReturnType();
$functions = (new ReflectionExtension('flagstone'))->getFunctions();
foreach ($functions as $name => $function) {
    if (!str_starts_with($name, 'flagstone_test_')) {
        same($name, $signature(new ReflectionFunction("Stub\\$name")), $signature($function));
    }
}
preg_match_all('/^function (\w+)/m', $stub, $stubbed);
same('functions', [], array_diff($stubbed[1], array_keys($functions)));
echo "done\n";
--EXPECT--
done
