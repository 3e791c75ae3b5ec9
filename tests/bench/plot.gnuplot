# The bench's picture: each ratio of ours to the other's, 1 is as much. Green where what must hold
# does, red where it does not, grey where nothing must. Variables from the command line: data, png.

stats data using 2 nooutput
n = STATS_records
set terminal pngcairo size 1300,(160 + 22 * n) font "DejaVu Sans,10" noenhanced background "#ffffff"
set output png
set label 1 "Ours, as a multiple of the other's: less is better, but for streams held" at screen 0.02,0.97 font "DejaVu Sans Bold,13"
set border 3 lc rgb "#777777"
set tics nomirror textcolor rgb "#333333"
set lmargin at screen 0.5
set rmargin at screen 0.96
set grid xtics lc rgb "#e6e6e6" lt 1
set logscale x 2
set xrange [STATS_min < 0.0625 ? STATS_min / 2 : 0.0625:STATS_max > 4 ? STATS_max * 1.5 : 4]
set yrange [-n:1]
set arrow 1 from 1,graph 0 to 1,graph 1 nohead lw 2 lc rgb "#999999" front
set style fill solid 0.9
set key off
base = STATS_min < 0.0625 ? STATS_min / 2 : 0.0625
plot data using (base):(-$0):(base):2:(-$0 - 0.38):(-$0 + 0.38):3:ytic(1) with boxxyerror lc rgb variable
