--TEST--
the extension stays in memory when PHP closes it: what handles SIGBUS is there for whoever goes on
--FILE--
<?php
require __DIR__ . '/support.inc';

// A process in which PHP was embedded went on, and a bus error of its own jumped to where the handler had been.
// DF_1_NODELETE of DT_FLAGS_1, in the dynamic section (dlopen(3), RTLD_NODELETE).
$library = file_get_contents(getenv('FLAGSTONE_EXTENSION'));
$header = unpack('Pprogram/Psections/Vflags/vsize/ventry/vcount', $library, 32);
$flags = 0;
for ($number = 0; $number < $header['count']; ++$number) {
    $segment = unpack('Vkind/Vflags/Poffset/Pvirtual/Pphysical/Psize', $library, $header['program'] + $number * $header['entry']);
    for ($at = $segment['offset']; $segment['kind'] === 2 && $at < $segment['offset'] + $segment['size']; $at += 16) {
        ['tag' => $tag, 'value' => $value] = unpack('Ptag/Pvalue', $library, $at);
        $flags = $tag === 0x6ffffffb ? $value : $flags;
    }
}
same('it is not unloaded', 0x8, $flags & 0x8);
echo "done\n";
?>
--EXPECT--
done
