/* The commands, one function each; main.c's table names them. */
#ifndef KOSMO_CTL_COMMANDS_H
#define KOSMO_CTL_COMMANDS_H

#include "ctl/ctl.h"

enum ctl_exit init_run(struct ctl *c, const struct args *a);

enum ctl_exit import_run(struct ctl *c, const struct args *a);

enum ctl_exit user_list(struct ctl *c, const struct args *a);
enum ctl_exit user_find(struct ctl *c, const struct args *a);
enum ctl_exit user_show(struct ctl *c, const struct args *a);

enum ctl_exit user_change_add(struct ctl *c, const struct args *a);
enum ctl_exit user_change_set(struct ctl *c, const struct args *a);
enum ctl_exit user_change_disable(struct ctl *c, const struct args *a);
enum ctl_exit user_change_enable(struct ctl *c, const struct args *a);
enum ctl_exit user_change_expire(struct ctl *c, const struct args *a);
enum ctl_exit user_change_expire_password(struct ctl *c, const struct args *a);
enum ctl_exit user_change_delete(struct ctl *c, const struct args *a);

enum ctl_exit user_extend(struct ctl *c, const struct args *a);
enum ctl_exit user_unlock(struct ctl *c, const struct args *a);

enum ctl_exit user_sessions(struct ctl *c, const struct args *a);
enum ctl_exit user_logout(struct ctl *c, const struct args *a);

enum ctl_exit user_recover(struct ctl *c, const struct args *a);

enum ctl_exit user_reissue(struct ctl *c, const struct args *a);

enum ctl_exit letters_run(struct ctl *c, const struct args *a);
/* Does a letter of this house, with its texts, fit onto its sheet in each language? Says what does not. Lays samples
 * out and throws them away; true also where kosmo-letters is not installed. */
bool letters_fit(const struct conf *conf);

enum ctl_exit audit_run(struct ctl *c, const struct args *a);
/* `audit --verify`: audit_run's. */
enum ctl_exit audit_verify_run(struct ctl *c, const struct args *a);
/* What is wrong with the log, on stderr; nothing if it is whole. */
void audit_verify_say(const struct audit_check *r);

enum ctl_exit store_run_check(struct ctl *c, const struct args *a);
enum ctl_exit store_run_backup(struct ctl *c, const struct args *a);
enum ctl_exit store_run_upgrade(struct ctl *c, const struct args *a);

enum ctl_exit config_check(struct ctl *c, const struct args *a);
enum ctl_exit config_show(struct ctl *c, const struct args *a);

enum ctl_exit site_template(struct ctl *c, const struct args *a);

enum ctl_exit mailcmd_template(struct ctl *c, const struct args *a);
enum ctl_exit mailcmd_queue(struct ctl *c, const struct args *a);
enum ctl_exit mailcmd_test(struct ctl *c, const struct args *a);
enum ctl_exit mailcmd_bounce(struct ctl *c, const struct args *a);

enum ctl_exit doctor_run(struct ctl *c, const struct args *a);

enum ctl_exit pam_try(struct ctl *c, const struct args *a);
enum ctl_exit pam_enable(struct ctl *c, const struct args *a);
enum ctl_exit pam_confirm(struct ctl *c, const struct args *a);
enum ctl_exit pam_undo(struct ctl *c, const struct args *a);
enum ctl_exit pam_disable(struct ctl *c, const struct args *a);
/* What every command of root's does first: stacks whose time is over, after a reboot for instance, are brought back. */
void pam_undo_overdue(struct ctl *c);

#endif
