# The demo's picture: what was sent, what was received, and the position that the guest was told.
# Variables from the command line: dir, png, length, verdict.

set terminal pngcairo size 1400,1080 font "DejaVu Sans,12" background "#ffffff"
set output png
set multiplot
set lmargin at screen 0.085
set rmargin at screen 0.975
set border 3 lc rgb "#777777"
set tics nomirror textcolor rgb "#555555"
set xrange [0:length]
set grid back lc rgb "#e6e6e6" lt 1
set key off

set label 1 "A tune played by a Xen guest, recorded in Dom0's PipeWire" at screen 0.085,0.97 font "DejaVu Sans Bold,17"
set label 2 verdict at screen 0.085,0.94 textcolor rgb "#555555"

wave(y) = y
set yrange [-1:1]
set ytics -1,0.5,1
set format x ""

set tmargin at screen 0.905
set bmargin at screen 0.725
set ylabel "sent by aplay"
plot dir."/waveform" using 1:2:3 with filledcurves lc rgb "#2f6fb0"

unset label 1
unset label 2
set tmargin at screen 0.700
set bmargin at screen 0.520
set ylabel "received"
plot dir."/waveform" using 1:4:5 with filledcurves lc rgb "#d9822b"

set tmargin at screen 0.495
set bmargin at screen 0.425
set yrange [-1:10<*]
set ytics ("0" 0)
set ylabel "difference"
plot dir."/waveform" using 1:6 with lines lw 2 lc rgb "#b03030"

set tmargin at screen 0.400
set bmargin at screen 0.075
set yrange [0:length * 1.05]
set ytics 0,2
set format x "%g"
set xlabel "time since aplay started the stream (s)"
set ylabel "position (s of sound)"
set key left top Left reverse samplen 2 spacing 1.3
plot x with lines lw 1 dt 2 lc rgb "#999999" title "real time", \
     dir."/positions" using 1:3 with lines lw 2 lc rgb "#9bbfe0" title "written by aplay", \
     dir."/positions" using 1:2 with lines lw 2 lc rgb "#2f7d4f" title "consumed by the graph, as the guest was told"
unset multiplot
