"""Judgments → games → battles → ratings, with intervals and all statistics: arrays in, named results out.

For the scripts and the other rooms:

arrays           the kinds of arrays, with their types
games            judgments as integer codes
same_records     which of several records of one judgment counts
battles          games as rows of the fit
ratings          the Bradley–Terry fit
intervals        confidence intervals by three rules
caches           battles and rounds on disk
categories       a bench cut into what is rated on its own
coverage         which questions each model was judged on
paired           differences, ranks, planning on the same questions
sequential       boundaries for stopping early
judge_stats      position bias, consistency, agreement of judges
blind_agreement  how a person and the judge agree
style_control    style control on a bench
metrics          separability, agreement, correlations
benchmarks       sources for --correlate, matched by model

Inside:

bootstrap        resampled ratings
style_fit        its formulas, fit and rounds
"""
