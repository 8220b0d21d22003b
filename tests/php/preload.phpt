--TEST--
answers under opcache with a preloaded file
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
$preload = "$store.php";
file_put_contents($preload, '<?php function guarded() { return feature_enabled("a"); } if (!guarded()) { echo "off while preloading\n"; }');
$settings = ['zend_extension' => 'opcache', 'opcache.enable_cli' => 1, 'opcache.preload' => $preload, 'opcache.preload_user' => get_current_user(),
    'flagstone.store' => $store];
same('with a JIT', '1', php('echo +guarded();', $settings + ['opcache.jit' => 'tracing', 'opcache.jit_buffer_size' => '16M']));
same('without', '1', php('echo +guarded();', $settings + ['opcache.jit' => 'off']));
echo "done\n";
--EXPECT--
done
